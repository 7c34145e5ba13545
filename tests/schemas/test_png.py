import io
import zlib

import numpy as np
import pytest
from images import after_header, animated, chunk, encoded, noise, two_colours
from PIL import Image

from schemas.errors import ImageTooLargeError, TruncatedImageError
from schemas.png import MAX_CHUNKS, read

PNG = encoded(two_colours((64, 48)), "PNG")
END = 12
"""Bytes of the last chunk."""


class Counted(bytes):
    looks = 0

    def __getitem__(self, key):
        self.looks += 1
        return super().__getitem__(key)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


@pytest.mark.parametrize("image", [two_colours((64, 48)), two_colours((64, 48)).quantize(8), noise((300, 200))])
def test_keeps_what_draws(image):
    data = encoded(image, "PNG", transparency=2) if image.mode == "P" else encoded(image, "PNG")
    np.testing.assert_array_equal(pixels(read(data).data), pixels(data))


def test_joins_the_image_data():
    at = PNG.index(b"IDAT") - 4
    size = int.from_bytes(PNG[at : at + 4])
    packed = PNG[at + 8 : at + 8 + size]
    cut = PNG[:at] + b"".join(chunk(b"IDAT", packed[i : i + 10]) for i in range(0, size, 10)) + PNG[-END:]
    assert read(cut).data == read(PNG).data


def test_what_is_said_is_read_and_dropped_from_the_image():
    said = {b"cICP": b"\x0c\x0d\0\1", b"gAMA": b"\0\0\xb1\x8f", b"eXIf": b"II*\0"}
    made = read(after_header(PNG, *(chunk(*each) for each in said.items()), chunk(b"tEXt", b"a\0secret")))
    assert made.said == said
    assert made.data == read(PNG).data


def test_metadata_with_a_wrong_checksum_is_ignored():
    wrong = chunk(b"gAMA", b"\0\1\x86\xa0")[:-1] + b"x"
    assert read(after_header(PNG, wrong, chunk(b"tEXt", b"a\0b")[:-1] + b"x")).said == {}


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT"])
def test_an_image_with_a_wrong_checksum_is_refused(kind):
    damaged = bytearray(PNG)
    damaged[PNG.index(kind) + 6] ^= 1
    with pytest.raises(TruncatedImageError, match=kind.decode()):
        read(bytes(damaged))


@pytest.mark.parametrize("cut", range(1, END + 5))
def test_a_missing_end_is_added(cut):
    np.testing.assert_array_equal(pixels(read(PNG[:-cut]).data), pixels(PNG))


def test_what_stands_behind_the_image_is_dropped():
    assert read(PNG + b"trailing").data == read(PNG).data


def test_an_unpacked_profile_is_bounded():
    bomb = zlib.compress(bytes(100_000_000))
    assert len(read(after_header(PNG, chunk(b"iCCP", b"name\0\0" + bomb))).icc) <= 4 * 1024 * 1024
    assert read(after_header(PNG, chunk(b"iCCP", b"name\0\0" + b"no zlib"))).icc == b""


@pytest.mark.parametrize("tiny", [chunk(b"tEXt", b""), chunk(b"IDAT", b""), chunk(b"zzzz", b"")])
def test_a_file_of_very_many_chunks_is_refused_after_a_walk_over_few(tiny):
    data = Counted(after_header(PNG, tiny * 500_000))
    with pytest.raises(ImageTooLargeError, match=f"{MAX_CHUNKS} chunks"):
        read(data)
    assert data.looks <= 3 * MAX_CHUNKS


def test_of_an_animation_the_first_frame_counts():
    frames = two_colours((64, 48)), noise((64, 48))
    shown = animated("PNG", *frames)
    np.testing.assert_array_equal(pixels(read(shown).data), np.asarray(frames[0].convert("RGBA")))
    hint = Image.new("RGB", (64, 48))
    hidden = animated("PNG", hint, *frames, default_image=True)
    np.testing.assert_array_equal(pixels(read(hidden).data), np.asarray(frames[0].convert("RGBA")))
    cut = hidden[: hidden.index(b"fdAT") - 4]
    np.testing.assert_array_equal(pixels(read(cut).data), np.asarray(hint.convert("RGBA")))


@pytest.mark.parametrize("end", [8, 20, 33, 40])
def test_a_header_alone_is_no_image(end):
    with pytest.raises(TruncatedImageError):
        read(PNG[:end])
