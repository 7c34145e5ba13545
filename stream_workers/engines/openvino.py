"""OpenVINO, int8: the default on x86."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino

from schemas.card import ModelCard
from schemas.errors import ModelError
from stream_workers.engines.engine import DEFAULT_CEILING, Images, Outputs

MODEL_FILE = "openvino.xml"
SIZES = (1, 2, 8, 32)
"""Batches are cut into these: each size OpenVINO has not seen costs 50 ms once, and of both models up to 20 MB."""


class OpenVinoEngine:
    """`openvino.xml` and `.bin` of the card, compiled for this CPU, one request at a time."""

    name = "openvino"

    def __init__(self, directory: Path, card: ModelCard, threads: int) -> None:
        if MODEL_FILE not in card.files:
            msg = f"{card.id} has no {MODEL_FILE}"
            raise ModelError(msg, "Export it for OpenVINO or choose the engine tensorflow.")
        self.ceiling = card.batch_ceiling.get(self.name, DEFAULT_CEILING)
        core = openvino.Core()
        self.sizes = [*(size for size in SIZES if size < self.ceiling), self.ceiling]
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # Pinned, the threads of two models share the first cores, and each waits for whatever else runs there.
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model = core.compile_model(str(directory / MODEL_FILE), "CPU", config)
            self._outputs = tuple(model.output(name) for name in Outputs._fields)
        except RuntimeError as error:
            msg = f"{card.id} can't be loaded by OpenVINO: {error}"
            raise ModelError(msg, "Export the model again.") from error
        self._request = model.create_infer_request()

    def infer(self, images: Images, larger: Sequence[Images] | None = None) -> Outputs:  # noqa: ARG002
        """Compute a batch, cut into the sizes that were warmed; the arrays returned are copies."""
        parts, start = [], 0
        while start < len(images):
            parts.append(self._infer(images[start : start + self._next_size(len(images) - start)]))
            start += len(parts[-1].logits)
        return parts[0] if len(parts) == 1 else Outputs(*map(np.concatenate, zip(*parts, strict=True)))

    def _next_size(self, left: int) -> int:
        """The size that is one image too large, which costs less than another call, or the largest that fits."""
        return left + 1 if left + 1 in self.sizes else max(size for size in self.sizes if size <= left)

    def _infer(self, images: Images) -> Outputs:
        count = len(images)
        if count not in self.sizes:
            images = np.concatenate([images, np.zeros((1, *images.shape[1:]), np.uint8)])
        results = self._request.infer({0: images}, share_inputs=True)
        logits, gate, evidence = (np.array(results[output][:count], np.float32) for output in self._outputs)
        return Outputs(logits, gate.reshape(-1), evidence)
