"""From trained weights to the files that workers load."""

import tempfile
from pathlib import Path
from typing import Final

import keras
import numpy as np
import openvino
from numpy.typing import NDArray

from schemas.card import WEIGHTS_FILE
from training.fingerprint import file_digest
from training.quantisation import quantise

OPENVINO_FILE: Final = "openvino.xml"


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
