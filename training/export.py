"""From trained weights to the files that workers load."""

import tempfile
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import openvino
from numpy.typing import NDArray

from stream_workers.engines.networks import build_network
from training.fingerprint import file_digest
from training.quantisation import quantise

OPENVINO_FILE: Final = "openvino.xml"
WEIGHTS_FILE: Final = "weights.npz"


def float_network(architecture: str, weights: list[NDArray[Any]], px: int | None = None) -> keras.Model:
    """The network in float32 and of Keras's own layers, however it was trained; for images of one size, if given."""
    keras.mixed_precision.set_global_policy("float32")
    network = build_network(architecture, px=px)
    trained_part(network).set_weights(weights)
    return network


def trained_part(network: keras.Model) -> keras.Model:
    """The network without its `evidence` output, which has no loss; it shares the layers."""
    return keras.Model(network.input, {name: network.output[name] for name in ("logits", "gate")})


def export(network: keras.Model, calibration_images: NDArray[np.uint8], directory: Path) -> dict[str, str]:
    """Write int8 OpenVINO (`openvino.xml`, `.bin`) and float16 weights; returns file name -> SHA-256."""
    directory.mkdir(parents=True, exist_ok=True)
    openvino.save_model(quantise(to_openvino(network), calibration_images), directory / OPENVINO_FILE)
    arrays = {str(index): array.astype(np.float16) for index, array in enumerate(network.get_weights())}
    np.savez_compressed(directory / WEIGHTS_FILE, **arrays)
    files = (OPENVINO_FILE, "openvino.bin", WEIGHTS_FILE)
    return {name: file_digest(directory / name) for name in files}


def to_openvino(network: keras.Model) -> openvino.Model:
    """The float network as OpenVINO sees it: input `image` [N, px, px, 3], outputs by the names of the contract."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "float.xml"
        network.export(str(path), format="openvino", verbose=False)
        return openvino.Core().read_model(path, config={"ENABLE_MMAP": False})
