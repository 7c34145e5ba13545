import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photographs import jpeg, picture
from PIL import Image

from producer_api.ingestion.jpeg_stream import JpegStream
from schemas.normalisation import MAX_UPLOAD_BYTES

JPEGS = [jpeg(number) for number in range(4)]
BOUNDARY = b"--frame\r\n"
HEAD = b"Content-Type: image/jpeg\r\n"


def cut(data, size=1000):
    """The JPEGs in these bytes, which come in pieces of this size."""
    stream = JpegStream()
    found = [part for at in range(0, len(data), size) for part in stream.feed(data[at : at + size])]
    rest = stream.end()
    return [part.data for part in found if part.whole], [part.data for part in found if not part.whole], rest


def parts(jpegs, before=BOUNDARY + HEAD + b"\r\n", after=b"\r\n"):
    return b"".join(before + each + after for each in jpegs)


@pytest.mark.parametrize(
    "data",
    [
        parts(JPEGS),
        parts(JPEGS, BOUNDARY + HEAD + b"Content-Length: 12\r\n\r\n"),
        parts(JPEGS, BOUNDARY + HEAD + b"Content-Length: 99999999\r\n\r\n"),
        parts(JPEGS, BOUNDARY + HEAD + b"Content-Length: many\r\n\r\n"),
        parts(JPEGS, b"--frame\nContent-Type: image/jpg\n\n", b"\n"),
        parts(JPEGS, b"frame\r\nContent-Type: image/jpeg;size=7\r\n\r\n"),
        parts(JPEGS, b"----frame\r\n\r\n", b""),
        parts(JPEGS, b"", b""),
        parts(JPEGS, b"", bytes(13)),
        parts(JPEGS, b"--frame\r\nContent-Type: text/plain\r\n\r\nmotion=1\r\n" + BOUNDARY + HEAD + b"\r\n"),
        parts(JPEGS, b'--a\r\nX-Time: 1\r\nContent-type:image/jpeg\r\nX-Note: "--a"\r\n\r\n'),
        b"preamble\r\n\r\n" + parts(JPEGS) + b"--frame--\r\n",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1000, 10**6])
def test_jpegs_are_found_whatever_stands_between_them(data, size):
    assert cut(data, size)[:2] == (JPEGS, [])


@settings(max_examples=200)
@given(
    before=st.binary(max_size=60).filter(lambda data: b"\xff" not in data),
    after=st.binary(max_size=60).filter(lambda data: b"\xff" not in data),
    size=st.integers(1, 3000),
)
def test_jpegs_are_found_between_any_bytes(before, after, size):
    assert cut(parts(JPEGS, before + b"\r\n", after), size)[:2] == (JPEGS, [])


@pytest.mark.parametrize("size", [1, 1000, 10**6])
@pytest.mark.parametrize("until", [1, 15, 180, 400, -200, -2])
@pytest.mark.parametrize("filler", [b"", bytes(300)])
def test_a_damaged_jpeg_costs_no_other(size, until, filler):
    damaged = JPEGS[1][:until] + filler
    whole, broken, _ = cut(parts([JPEGS[0], damaged, *JPEGS[2:]]), size)
    assert whole == [JPEGS[0], *JPEGS[2:]]
    assert len(broken) == (until != 1)


@pytest.mark.parametrize("until", [400, -200, -2])
def test_a_damaged_jpeg_costs_no_other_without_boundaries(until):
    whole, broken, _ = cut(parts([JPEGS[0], JPEGS[1][:until], *JPEGS[2:]], b"", b""))
    assert whole[0] == JPEGS[0]
    assert whole[-1] == JPEGS[3]
    assert len(broken) == 1


def test_a_preview_inside_is_no_picture_of_its_own():
    out, exif = io.BytesIO(), b"Exif\x00\x00" + jpeg(9)
    picture(5).save(out, "JPEG", exif=exif)
    assert cut(parts([out.getvalue(), JPEGS[0]]))[0] == [out.getvalue(), JPEGS[0]]
    broken = out.getvalue()[: len(exif) + 40]
    assert cut(parts([broken[:-100], JPEGS[0]]))[0] == [JPEGS[0]]


def test_progressive_jpegs_with_restarts():
    out = io.BytesIO()
    picture(5, (300, 200)).save(out, "JPEG", progressive=True, restart_marker_blocks=4)
    assert cut(parts([out.getvalue(), JPEGS[0]]), 17)[0] == [out.getvalue(), JPEGS[0]]


def test_a_jpeg_that_does_not_end_is_given_up():
    stream = JpegStream()
    start = JPEGS[0][: JPEGS[0].index(b"\xff\xda") + 14]
    found = list(stream.feed(start))
    for _ in range(MAX_UPLOAD_BYTES // 2**20 + 2):
        found += stream.feed(bytes(2**20))
    assert [(part.data, part.whole) for part in found] == [(b"", False)]
    assert [part.data for part in stream.feed(JPEGS[1])] == [JPEGS[1]]


def test_bytes_that_are_no_pictures_are_counted_and_not_kept():
    stream = JpegStream()
    for _ in range(100):
        assert list(stream.feed(b"<p>not a picture</p>" * 1000)) == []
    assert stream.unlike > 1_900_000
    assert len(stream.end().data) < 20_000


def test_what_is_left_at_the_end_is_returned():
    assert cut(parts(JPEGS[:1]) + BOUNDARY + HEAD + b"\r\n" + JPEGS[1][:-2])[2].data == JPEGS[1][:-2]
    assert Image.open(io.BytesIO(cut(JPEGS[0])[0][0])).size == (64, 48)
