import struct
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import exif, tiff
from PIL import Image, ImageOps

from schemas.exif import Exif

SHORT, LONG = 3, 4
SIX = (0x0112, SHORT, 1, b"\6\0\0\0")


def directories(*entries):
    """Two directories: the first with these entries and a pointer to the second, which holds a capture time."""
    first = [*entries, (0x8769, LONG, 1, struct.pack("<I", 1000))]
    second = struct.pack("<HHHII", 1, 0x9003, 2, 20, 1100)
    return tiff(*first).ljust(1000, b"\0") + second.ljust(100, b"\0") + b"2026:07:01 08:30:00\0"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_as_pillow_does(orientation):
    image = Image.effect_noise((8, 6), 90)
    image.getexif()[0x0112] = orientation
    turn = Exif.read(exif(orientation).tobytes()).turn
    turned = image if turn is None else image.transpose(turn)
    assert turned.tobytes() == ImageOps.exif_transpose(image).tobytes()


@pytest.mark.parametrize("order", "<>")
def test_reads_both_byte_orders(order):
    entry = (0x0112, SHORT, 1, struct.pack(order + "H", 6).ljust(4, b"\0"))
    assert Exif.read(tiff(entry, order=order)).turn is Image.Transpose.ROTATE_270


@pytest.mark.parametrize(
    ("taken", "zone", "expected"),
    [
        ("2026:07:01 08:30:00", None, datetime(2026, 7, 1, 8, 30)),  # noqa: DTZ001
        ("2026:07:01 08:30:00", "+02:00", datetime(2026, 7, 1, 8, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("2026:07:01 08:30:00", "Z", datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
        ("2026:07:01 08:30:00", "nonsense", datetime(2026, 7, 1, 8, 30)),  # noqa: DTZ001
        ("0000:00:00 00:00:00", None, None),
        ("0001:01:01 00:00:00", "+10:00", datetime(1, 1, 1)),  # noqa: DTZ001
        ("    :  :     :  :  ", None, None),
        ("", None, None),
    ],
)
def test_reads_when_it_was_taken(taken, zone, expected):
    assert Exif.read(exif(1, taken, zone).tobytes()).captured_at == expected


ODD = {
    "XResolution as text": (0x011A, 2, 3, b"72\0\0"),
    "YCbCrPositioning as bytes": (0x0213, 7, 4, b"\1\0\0\0"),
    "ImageWidth as text": (0x0100, 2, 4, b"600\0"),
    "BitsPerSample as bytes": (0x0102, 1, 4, b"\x08\x08\x08\0"),
    "GPS far outside": (0x8825, LONG, 1, b"\xf0\xff\xff\xff"),
    "a type nobody knows": (0x9999, 99, 5, b"abcd"),
    "a value of 4 GB": (0x9998, 1, 0xFFFFFFFF, bytes(4)),
    "a maker's note outside": (0x927C, 7, 60000, b"\0\0\1\0"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tags_leave_the_others_alone(name):
    found = Exif.read(directories(SIX, ODD[name]))
    assert found == (Image.Transpose.ROTATE_270, datetime(2026, 7, 1, 8, 30))  # noqa: DTZ001


@pytest.mark.parametrize(
    "entry",
    [
        (0x0112, SHORT, 2, b"\6\0\6\0"),
        (0x0112, SHORT, 1, b"\x09\0\0\0"),
        (0x0112, 2, 2, b"6\0\0\0"),
        (0x0112, 5, 1, b"\x08\0\0\0"),
    ],
)
def test_an_orientation_that_says_nothing_turns_nothing(entry):
    assert Exif.read(tiff(entry)).turn is None


@pytest.mark.parametrize("data", [b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08", bytes(100)])
def test_damaged_exif_says_nothing(data):
    assert Exif.read(data) == Exif()


@given(st.integers(0, 1119), st.binary(min_size=1, max_size=8))
def test_damage_anywhere_raises_nothing(at, changed):
    data = bytearray(directories(SIX))
    data[at : at + len(changed)] = changed
    Exif.read(bytes(data))


def test_a_directory_of_very_many_entries_is_read_in_part(monkeypatch):
    unpacked = []
    real = struct.unpack_from
    monkeypatch.setattr(struct, "unpack_from", lambda *given: unpacked.append(1) or real(*given))
    many = struct.pack("<4sIH", b"II*\0", 8, 65535) + struct.pack("<HHI4s", 1, 7, 100_000, bytes(4)) * 65535
    assert Exif.read(many).turn is None
    assert len(unpacked) < 600
