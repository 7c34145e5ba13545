import io

import pytest
from PIL import Image

from schemas.jpeg import baseline, scans


def jpeg(size=(256, 192), mode="RGB", **options):
    out = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(out, "JPEG", **options)
    return out.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6


@pytest.mark.parametrize(
    "options", [{}, {"quality": 30}, {"quality": 98}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_tells_the_size_of_a_plain_photograph(options):
    assert baseline(jpeg(**options)) == (256, 192)


def test_tells_that_of_every_sample(leaves):
    for path in leaves.glob("samples/*/*.jpg"):
        with Image.open(path) as image:
            assert baseline(path.read_bytes()) == image.size


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xd9",
        jpeg(progressive=True),
        jpeg(mode="L"),
        jpeg(mode="CMYK"),
        jpeg(exif=EXIF),
        jpeg(comment=b"hello"),
        jpeg(icc_profile=b"x" * 200),
        jpeg() + b"trailing",
        jpeg() + jpeg(),
    ],
)
def test_says_nothing_of_anything_else(data):
    assert baseline(data) is None


def test_no_truncation_passes():
    data = jpeg((64, 64))
    assert all(baseline(data[:end]) is None for end in range(len(data)))


def test_what_passes_decodes_also_when_bytes_in_it_are_damaged():
    data = jpeg((64, 64))
    scan = data.index(b"\xff\xda") + 14
    passed = 0
    for position in range(scan, len(data) - 2, 7):
        damaged = bytearray(data)
        damaged[position] ^= 0x5A
        if baseline(bytes(damaged)):
            passed += 1
            Image.open(io.BytesIO(damaged)).load()
    assert passed


def test_scans_are_counted_where_the_decoder_walks_them_all():
    assert 2 < scans(jpeg(progressive=True)) < 15
    picture = jpeg()
    assert scans(picture) == scans(picture[:-2] + picture[picture.index(b"\xff\xda") :]) == 1, "the rest is not decoded"
    header = picture[: picture.index(b"\xff\xda")]
    of_one_component = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x00" * 50
    assert scans(header + 7 * of_one_component + b"\xff\xd9") == 7
    assert scans(header + 7 * of_one_component + picture[len(header) :]) == 8
