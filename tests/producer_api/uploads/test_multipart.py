import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_multipart.multipart import MultipartParser

from producer_api.errors import RequestError
from producer_api.uploads.multipart import Parser, boundary, parts
from producer_api.uploads.part import MAX_HEADER_BYTES
from schemas.errors import ImageTooLargeError
from schemas.normalisation import MAX_UPLOAD_BYTES

B = b"----boundary0123"


def part(name, data, filename=None):
    extra = f'; filename="{filename}"' if filename is not None else ""
    return b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\nContent-Type: x/y\r\n\r\n%b\r\n' % (
        B,
        name.encode(),
        extra.encode(),
        data,
    )


def body(*parts):
    return b"".join(parts) + b"--" + B + b"--\r\n"


def parse(data, step=None):
    parser, found = Parser(B), []
    step = step or max(1, len(data))
    for start in range(0, len(data), step):
        found += parser.feed(data[start : start + step])
    parser.close()
    return found


def test_reads_files_and_fields():
    found = parse(body(part("file", b"\xff\xd8\r\nabc", "leaf.jpg"), part("camera", b"cam-1")))
    assert [(one.name, one.filename, one.data) for one in found] == [
        ("file", "leaf.jpg", b"\xff\xd8\r\nabc"),
        ("camera", None, b"cam-1"),
    ]
    assert found[1].text == "cam-1"


fields = st.lists(st.tuples(st.text("abc", min_size=1, max_size=5), st.binary(max_size=200)), max_size=4)


@given(fields, st.integers(1, 300))
def test_agrees_with_a_known_parser_however_the_body_is_cut(given_fields, step):
    data = body(*(part(name, value, "f") for name, value in given_fields if b"--" + B not in value))
    expected, current = [], []

    def end():
        expected.append(b"".join(current))
        current.clear()

    reference = MultipartParser(
        B, {"on_part_data": lambda chunk, start, stop: current.append(chunk[start:stop]), "on_part_end": end}
    )
    reference.write(data)
    reference.finalize()
    assert [one.data for one in parse(data, step)] == expected


def test_line_ends_and_near_boundaries_in_the_data_stay():
    data = b"\r\n--" + B[:-1] + b"\r\n\r\n--\r\n"
    assert parse(body(part("file", data, "x")), 1)[0].data == data


def test_a_preamble_and_an_epilogue_say_nothing():
    found = parse(b"hello\r\n" + body(part("a", b"1")) + b"bye\r\n--" + B + b"\r\n")
    assert [one.data for one in found] == [b"1"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        part("a", b"1"),
        b"--" + B + b"\r\nno headers\r\n--" + B + b"--",
        b"--" + B + b"\r\nContent-Disposition: form-data\r\n\r\nx\r\n--" + B + b"--",
        b"--" + B + b"\r\nX: " + b"x" * MAX_HEADER_BYTES + b"\r\n\r\nx\r\n--" + B + b"--",
    ],
)
def test_malformed_bodies_are_refused(data):
    with pytest.raises(RequestError):
        parse(data)


def test_a_part_above_the_limit_is_named_as_soon_as_it_is_and_the_next_is_read():
    parser, chunk = Parser(B), b"x" * 65536
    found = list(parser.feed(part("file", b"", "large.jpg")[:-2]))
    for _ in range(MAX_UPLOAD_BYTES // len(chunk)):
        found += parser.feed(chunk)
    assert not found
    [large] = parser.feed(chunk)
    assert (large.name, large.filename, large.data, large.too_large) == ("file", "large.jpg", b"", True)
    for _ in range(2 * MAX_UPLOAD_BYTES // len(chunk)):
        assert not list(parser.feed(chunk))
        assert len(parser._buffer) <= MAX_UPLOAD_BYTES + MAX_HEADER_BYTES
    [after] = parser.feed(b"\r\n" + body(part("file", b"small", "small.jpg")))
    parser.close()
    assert after.data == b"small"


def test_a_part_above_the_limit_is_named_when_it_comes_at_once():
    [large] = parse(body(part("file", b"x" * (MAX_UPLOAD_BYTES + 1), "f")))
    with pytest.raises(ImageTooLargeError):
        large.photograph()


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ('Multipart/Form-Data; charset=utf-8; boundary="a b"', b"a b"),
    ],
)
def test_finds_the_boundary(content_type, expected):
    assert boundary(content_type) == expected


@pytest.mark.parametrize(
    "content_type", ["", "image/jpeg", "multipart/form-data", "multipart/form-data; boundary=" + "x" * 71]
)
def test_refuses_bodies_without_one(content_type):
    with pytest.raises(RequestError):
        boundary(content_type)


def test_a_field_that_is_no_text_is_refused():
    with pytest.raises(RequestError):
        _ = parse(body(part("camera", b"\xff")))[0].text


class Arriving:
    """A request whose body is there already, so that receiving it never waits."""

    def __init__(self, *chunks):
        self.headers = {"content-type": "multipart/form-data; boundary=b"}
        self._chunks = list(chunks)

    async def receive(self):
        return {"type": "http.request", "body": self._chunks.pop(0), "more_body": bool(self._chunks)}


async def test_very_many_parts_leave_the_event_loop_to_others():
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    tiny = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 5000
    task = asyncio.create_task(others())
    seen, at_once, before = 0, 0, 0
    async for _ in parts(Arriving(tiny[:200_000], tiny[200_000:] + b"--b--\r\n"), MAX_UPLOAD_BYTES):
        seen, at_once = seen + 1, at_once + 1 if turns == before else 1
        before = turns
        assert at_once <= 1000
    task.cancel()
    assert seen == 5000
