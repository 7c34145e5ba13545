import numpy as np
import openvino as ov
import pytest

nncf = pytest.importorskip("nncf")

from openvino import opset13 as ops  # noqa: E402

from training.quantisation import quantise  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_squeeze_and_excite_and_the_head_stay_in_float() -> None:
    random = np.random.default_rng(0)
    image = ops.parameter([-1, 3, 16, 16], np.float32, "image")

    def convolved(x: object, into: int, by: int, size: int, name: str) -> object:
        kernel = ops.constant(random.normal(size=(into, by, size, size)).astype(np.float32))
        return ops.convolution(x, kernel, [1, 1], [size // 2] * 2, [size // 2] * 2, [1, 1], name=name)

    features = ops.relu(convolved(image, 8, 3, 3, "wide"))
    squeezed = ops.reduce_mean(features, ops.constant(np.array([2, 3])), keep_dims=False)
    squeezed = ops.reshape(squeezed, ops.constant(np.array([0, 8, 1, 1])), special_zero=True)
    scaled = ops.multiply(features, ops.sigmoid(convolved(squeezed, 8, 8, 1, "excite")))
    model = ov.Model([convolved(ops.relu(convolved(scaled, 8, 8, 1, "narrow")), 10, 8, 1, "evidence")], [image])
    small = quantise(model, random.random((4, 3, 16, 16)).astype(np.float32))
    kinds = {}
    for node in small.get_ops():
        if node.get_type_name() == "Convolution":
            kinds[node.get_friendly_name()] = node.input_value(0).get_node().get_type_name()
    assert {name: kind == "FakeQuantize" for name, kind in kinds.items()} == {
        "wide": True,
        "excite": False,
        "narrow": True,
        "evidence": False,
    }
