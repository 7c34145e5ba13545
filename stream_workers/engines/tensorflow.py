"""TensorFlow: the reference, for any platform. Needs 700 MB and 9 s to import."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from schemas.card import WEIGHTS_FILE, ModelCard
from schemas.errors import ModelError
from stream_workers.engines.engine import DEFAULT_CEILING, Images, Outputs
from stream_workers.engines.networks import build_network, load_weights


class TensorFlowEngine:
    """The network of the card's architecture, rebuilt, with the weights of `weights.npz`, as one traced function."""

    name = "tensorflow"

    def __init__(self, directory: Path, card: ModelCard, threads: int) -> None:
        if WEIGHTS_FILE not in card.files:
            msg = f"{card.id} has no {WEIGHTS_FILE}"
            raise ModelError(msg, "Export it for TensorFlow or choose the engine openvino.")
        self.ceiling = card.batch_ceiling.get(self.name, DEFAULT_CEILING)
        self.sizes = (1, self.ceiling)
        px = card.preprocessing.px
        _limit_threads(threads)
        try:
            model = build_network(card.architecture, outputs=len(card.labels), px=px)
            load_weights(model, directory)
        except (KeyError, ValueError, OSError) as error:
            msg = f"{card.id} can't be rebuilt by TensorFlow: {error}"
            raise ModelError(msg, "Export the model again.") from error
        spec = tf.TensorSpec([None, px, px, 3], tf.uint8)
        self._compute = tf.function(lambda images: model(images, training=False), input_signature=[spec])

    def infer(self, images: Images, larger: Sequence[Images] | None = None) -> Outputs:  # noqa: ARG002
        """Compute a batch."""
        results = self._compute(images)
        logits, gate, evidence = (results[name].numpy() for name in Outputs._fields)
        return Outputs(logits, gate.reshape(-1), evidence)


def _limit_threads(threads: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:  # already running: the first model's choice stands
        return
