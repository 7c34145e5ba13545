"""OpenVINO, int8: the default on x86."""

from pathlib import Path

import numpy as np
import openvino

from schemas.card import ModelCard
from schemas.errors import ModelError
from stream_workers.engines.engine import DEFAULT_CEILING, Images, Outputs

MODEL_FILE = "openvino.xml"


class OpenVinoEngine:
    """`openvino.xml` and `.bin` of the card, compiled for this CPU, one request at a time."""

    name = "openvino"

    def __init__(self, directory: Path, card: ModelCard, threads: int) -> None:
        if MODEL_FILE not in card.files:
            msg = f"{card.id} has no {MODEL_FILE}"
            raise ModelError(msg, "Export it for OpenVINO or choose the engine tensorflow.")
        self.ceiling = card.batch_ceiling.get(self.name, DEFAULT_CEILING)
        core = openvino.Core()
        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        try:
            model = core.compile_model(str(directory / MODEL_FILE), "CPU", config)
            self._outputs = tuple(model.output(name) for name in Outputs._fields)
        except RuntimeError as error:
            msg = f"{card.id} can't be loaded by OpenVINO: {error}"
            raise ModelError(msg, "Export the model again.") from error
        self._request = model.create_infer_request()

    def infer(self, images: Images) -> Outputs:
        """Compute a batch; the arrays returned are copies."""
        results = self._request.infer({0: images}, share_inputs=True)
        logits, gate, evidence = (np.array(results[output], np.float32) for output in self._outputs)
        return Outputs(logits, gate.reshape(-1), evidence)
