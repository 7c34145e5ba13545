import io

import pytest
from images import encoded, noise, two_colours
from PIL import Image

from schemas.completeness import decodes, is_whole, may_lack_rows
from schemas.jpeg import baseline

END = b"\xff\xd9"


def opened(data):
    return Image.open(io.BytesIO(data))


def jpeg(size=(256, 192), **options):
    return encoded(noise(size), **options)


@pytest.mark.parametrize("options", [{}, {"restart_marker_blocks": 2}, {"restart_marker_rows": 1}, {"subsampling": 0}])
def test_a_whole_jpeg_decodes_and_one_without_its_last_rows_does_not(options):
    data = jpeg(**options)
    assert decodes(data)
    for share in (0.9, 0.5, 0.1):
        cut = data[: int(len(data) * share)].rstrip(b"\xff") + END
        if baseline(cut):
            assert not decodes(cut), share


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}, {"subsampling": 0}])
def test_is_whole_says_where_data_ends_early(options):
    data = jpeg(**options)
    assert is_whole(data)
    for share in (0.9, 0.5):
        assert not is_whole(data[: int(len(data) * share)].rstrip(b"\xff") + END)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_is_whole_knows_other_modes(mode):
    data = encoded(noise((300, 200)).convert(mode))
    assert is_whole(data)
    assert not is_whole(data[: len(data) // 2].rstrip(b"\xff") + END)


def test_a_grey_image_is_whole_too():
    data = encoded(Image.new("RGB", (200, 200), (128, 128, 128)))
    assert may_lack_rows(opened(data))
    assert decodes(data)
    assert not may_lack_rows(opened(encoded(two_colours((200, 200)))))


def test_whatever_the_header_says_a_decoder_agrees():
    """Each bit of the header flipped: markers alone would let through tables that no decoder takes."""
    data = jpeg((64, 48))
    start = data.index(b"\xff\xda") + 14
    passed = refused = 0
    for bit in range(start * 8):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        if baseline(bytes(flipped)):
            if decodes(bytes(flipped)):
                passed += 1
                for scale in (1, 8):
                    image = opened(flipped)
                    image.draft("RGB", (image.width // scale, image.height // scale))
                    image.convert("RGB")
            else:
                refused += 1
    assert passed > 100
    assert refused > 100
