import io

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("keras")

from training.degradation import COSINES, blurred, compressed

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15, NumPy 2.4


@pytest.fixture
def images() -> np.ndarray:
    """Of one tint each: libjpeg smooths the colours it enlarges, and that is not what is compared."""
    random = np.random.default_rng(0)
    coarse = (random.integers(60, 200, (2, 12, 12, 1)) + random.integers(-30, 30, (2, 1, 1, 3))).astype(np.uint8)
    smooth = [np.asarray(Image.fromarray(one).resize((64, 64), Image.Resampling.BICUBIC)) for one in coarse]
    return np.stack(smooth).astype(np.float32)


def test_the_transform_is_orthonormal() -> None:
    np.testing.assert_allclose(COSINES @ COSINES.T, np.eye(8), atol=1e-6)


@pytest.mark.parametrize("deviation", [0.4, 1.0, 1.8])
def test_a_blur_is_a_gaussian(images: np.ndarray, deviation: float) -> None:
    mine = np.asarray(blurred(images, np.array([deviation, 0], np.float32)))
    reference = cv2.GaussianBlur(images[0], (9, 9), deviation, borderType=cv2.BORDER_REFLECT_101)
    np.testing.assert_allclose(mine[0], reference, atol=0.2)
    np.testing.assert_allclose(mine[1], images[1], atol=0.01)


@pytest.mark.parametrize("quality", [30, 60, 90])
def test_artefacts_are_those_of_libjpeg(images: np.ndarray, quality: int) -> None:
    mine = np.asarray(compressed(images, np.array([quality, 0], np.float32))).round()
    stream = io.BytesIO()
    Image.fromarray(images[0].astype(np.uint8)).save(stream, "JPEG", quality=quality, subsampling=2)
    theirs = np.asarray(Image.open(stream), np.float32)
    lost = np.abs(theirs - images[0]).mean()
    assert np.abs(mine[0] - theirs).mean() < 0.5 * lost, "closer to libjpeg's result than that is to the original"
    np.testing.assert_array_equal(mine[1], images[1])
