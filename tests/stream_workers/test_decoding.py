import io

import numpy as np
import pytest
from PIL import Image
from workers import jpeg

from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError
from stream_workers.decoding import decode


def encoded(pixels: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "JPEG", **({"quality": 95} | options))
    return out.getvalue()


def test_takes_the_centre_square() -> None:
    wide = np.zeros((100, 300, 3))
    wide[:, 100:200] = (200, 100, 50)
    pixels = decode(encoded(wide, subsampling=0), 64).pixels
    assert pixels.shape == (64, 64, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels[8:-8, 8:-8].reshape(-1, 3).mean(0), (200, 100, 50), atol=3)


@pytest.mark.parametrize("side", [128, 200, 256, 512])
def test_fine_detail_is_averaged_not_aliased(side: int) -> None:
    stripes = np.zeros((side, side, 3))
    stripes[:, ::2] = 255
    pixels = decode(encoded(stripes), 64).pixels
    assert abs(pixels.mean() - 127.5) < 3
    assert pixels.std() < 12


def test_small_pictures_are_enlarged() -> None:
    assert decode(jpeg(120, (40, 60)), 128).pixels.shape == (128, 128, 3)


def test_features_are_those_of_the_pixels() -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (128, 128, 3))
    pixels, _, features = decode(encoded(picture), 128)
    assert [features.red, features.green, features.blue] == pytest.approx(pixels.reshape(-1, 3).mean(0), abs=0.01)
    luma = pixels @ (0.299, 0.587, 0.114)
    assert features.brightness == pytest.approx(luma.mean(), abs=0.6)
    assert features.contrast == pytest.approx(luma.std(), abs=0.3)


def test_grey_jpegs_become_rgb() -> None:
    out = io.BytesIO()
    Image.new("L", (64, 64), 90).save(out, "JPEG")
    assert decode(out.getvalue(), 32).pixels.shape == (32, 32, 3)


@pytest.mark.parametrize("value", [b"", b"noise" * 100, b"\xff\xd8"])
def test_no_jpeg(value: bytes) -> None:
    with pytest.raises(NotAnImageError):
        decode(value, 64)


def test_other_formats_are_not_accepted() -> None:
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "PNG")
    with pytest.raises(NotAnImageError):
        decode(out.getvalue(), 64)


def test_half_a_jpeg() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (256, 256, 3))
    whole = encoded(noise)
    with pytest.raises(TruncatedImageError):
        decode(whole[: len(whole) // 2], 64)


def test_decompression_bomb() -> None:
    out = io.BytesIO()
    Image.new("L", (9000, 9000)).save(out, "JPEG", quality=1)
    with pytest.raises(ImageTooLargeError):
        decode(out.getvalue(), 64)


def test_a_jpeg_of_another_producer_is_read_as_uploads_are() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (200, 300, 3))
    plain = encoded(noise)
    for other in (plain[:-2], plain + b"trailing", encoded(noise, progressive=True)[:-2], encoded(noise, comment=b"x")):
        np.testing.assert_array_equal(decode(other, 64).pixels, decode(plain, 64).pixels)


def test_the_budget_is_that_of_uploads() -> None:
    plain = encoded(np.zeros((64, 64, 3)))
    segments = plain[:2] + b"\xff\xfe\0\2" * 200_000 + plain[2:]
    with pytest.raises(ImageTooLargeError, match="segments"):
        decode(segments, 64)
    frame = plain.index(b"\xff\xc0") + 5
    large = plain[:frame] + (9000).to_bytes(2) * 2 + plain[frame + 4 :]
    with pytest.raises(ImageTooLargeError, match="megapixels"):
        decode(large, 64)


@pytest.mark.parametrize(("size", "side"), [((512, 400), 200), ((512, 512), 256), ((300, 200), 200), ((90, 60), 60)])
def test_the_square_before_it_was_resized_has_more_detail_where_the_image_has(size, side):
    decoded = decode(encoded(np.full((*size[::-1], 3), 90, np.uint8)), 128)
    assert decoded.pixels.shape == (128, 128, 3)
    assert decoded.larger.shape == (side, side, 3)
