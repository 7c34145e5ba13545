import contextlib
import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import encoded, exif, two_colours
from PIL import Image

from schemas.errors import ImageTooLargeError
from schemas.heif import read
from schemas.imagefile import open_image
from schemas.items import MAX_BOXES

DAMAGED = encoded(two_colours((256, 256)), "HEIF", tile_size=128)
TAKEN = "2026:07:01 08:30:00"


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind, version, *parts):
    return box(kind, bytes((version, 0, 0, 0)), *parts)


def sharing(items, size):
    """A small HEIC with so many items of EXIF, which all are the same bytes of the file."""
    whole = encoded(Image.new("RGB", (64, 64)), "HEIF")
    at = whole.index(b"hvcC") - 4
    codec = whole[at : at + int.from_bytes(whole[at : at + 4])]
    tile = whole[whole.index(b"mdat") + 4 :]
    numbers = range(2, items + 2)
    infos = [full(b"infe", 2, struct.pack(">HH", 1, 0), b"hvc1\0")]
    infos += [full(b"infe", 2, struct.pack(">HH", number, 0), b"Exif\0") for number in numbers]

    def meta(start):
        places = [struct.pack(">HHHII", 1, 0, 1, start, len(tile))]
        places += [struct.pack(">HHHII", number, 0, 1, start + len(tile), size) for number in numbers]
        sizes = full(b"ispe", 0, struct.pack(">II", 64, 64))
        return full(
            b"meta",
            0,
            full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, struct.pack(">H", 1)),
            full(b"iloc", 0, b"\x44\0", struct.pack(">H", items + 1), *places),
            full(b"iinf", 0, struct.pack(">H", items + 1), *infos),
            full(b"iref", 0, *(box(b"cdsc", struct.pack(">HHH", number, 1, 1)) for number in numbers)),
            box(b"iprp", box(b"ipco", codec, sizes), full(b"ipma", 0, struct.pack(">IHBBB", 1, 1, 2, 0x81, 2))),
        )

    start = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    return start + meta(len(start) + len(meta(0)) + 8) + box(b"mdat", tile, bytes(size))


def test_metadata_is_copied_by_no_decoder():
    file = open_image(sharing(items=2, size=10_000), scaled=True)
    assert file.load().size == (64, 64)
    assert not file.image.info.get("metadata")
    assert not file.image.info.get("exif")


@pytest.mark.parametrize(
    ("items", "size", "reason"), [(900, 9_000_000, "overlap"), (5, 100_000, "overlap"), (5000, 1, "items")]
)
def test_items_that_share_their_bytes_are_refused(items, size, reason):
    """A decoder copies each of them: 8 GB for a file of 9 MB."""
    with pytest.raises(ImageTooLargeError, match=reason):
        read(sharing(items, size))


def grid(side, times, pixels):
    """The boxes of an image of tiles which are all the same: item 1 of item 2, or that of item 3."""
    references = [struct.pack(">HH", 1, times) + struct.pack(">H", 2) * times]
    if side == "nested":
        references.append(struct.pack(">HH", 2, times) + struct.pack(">H", 3) * times)
    elif side == "endless":
        references.append(struct.pack(">HHH", 2, 1, 1))
    sizes = full(b"ispe", 0, struct.pack(">II", pixels, pixels))
    owned = b"".join(struct.pack(">HBB", item, 1, 1) for item in (1, 2, 3))
    return box(b"ftyp", b"heic", bytes(4), b"mif1heic") + full(
        b"meta",
        0,
        full(b"pitm", 0, struct.pack(">H", 1)),
        full(b"iref", 0, *(box(b"dimg", reference) for reference in references)),
        box(b"iprp", box(b"ipco", sizes), full(b"ipma", 0, struct.pack(">I", 3), owned)),
    )


@pytest.mark.parametrize(
    ("side", "times", "pixels"),
    [("flat", 256, 1024), ("flat", 2, 16384), ("nested", 30, 512), ("endless", 4, 512), ("flat", 5000, 16)],
)
def test_tiles_are_counted_as_often_as_they_are_used(side, times, pixels):
    with pytest.raises(ImageTooLargeError):
        read(grid(side, times, pixels))


@pytest.mark.parametrize(("side", "times", "pixels"), [("flat", 192, 512), ("flat", 48, 1024), ("nested", 4, 512)])
def test_the_grids_of_telephones_are_not_too_many_tiles(side, times, pixels):
    assert read(grid(side, times, pixels))


@given(st.integers(20, 900), st.binary(min_size=1, max_size=6))
def test_damage_in_the_boxes_raises_nothing_else(at, changed):
    data = bytearray(DAMAGED)
    data[at : at + len(changed)] = changed
    with contextlib.suppress(ImageTooLargeError):
        read(bytes(data))


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_the_image_and_its_time_stay(kind):
    data = encoded(two_colours((64, 48)), kind, exif=exif(1, TAKEN).tobytes())
    made = read(data)
    assert b"cdsc" in data
    assert b"cdsc" not in made.data
    assert len(made.data) == len(data)
    assert TAKEN.encode() in made.exif
    assert Image.open(io.BytesIO(made.data)).tobytes() == Image.open(io.BytesIO(data)).tobytes()


def test_only_metadata_boxes_are_changed():
    start, rest = box(b"ftyp", b"heic", bytes(4)), box(b"mdat", b"cdsc")
    large = struct.pack(">I4sQ", 1, b"free", 20) + b"cdsc"
    made = read(start + large + box(b"meta", b"cdsc") + rest)
    assert made.data == start + large + box(b"meta", b"skip") + rest


def test_reads_code_points():
    colours = box(b"colr", b"nclx", struct.pack(">HHHB", 12, 13, 6, 128))
    assert read(box(b"ftyp", b"avif", bytes(4)) + box(b"meta", colours)).code_points == (12, 13)
    assert read(box(b"ftyp", b"avif", bytes(4)) + box(b"mdat", colours)).code_points is None


@pytest.mark.parametrize("size", [0, 1, 7, 2**31])
def test_a_box_of_an_impossible_size_ends_with_the_file(size):
    data = box(b"ftyp", b"heic", bytes(4)) + struct.pack(">I4s", size, b"meta") + b"cdsc" * 10
    assert b"cdsc" not in read(data).data


def test_a_file_of_very_many_boxes_is_refused():
    class Counted(bytes):
        looks = 0

        def __getitem__(self, key):
            self.looks += 1
            return super().__getitem__(key)

    data = Counted(box(b"ftyp", b"heic", bytes(4)) + box(b"free") * 1_000_000)
    with pytest.raises(ImageTooLargeError, match="boxes"):
        read(data)
    assert data.looks <= 4 * MAX_BOXES
