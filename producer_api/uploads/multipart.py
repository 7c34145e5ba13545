"""Multipart bodies (RFC 7578), part by part as they arrive: in memory only, with the limits enforced while reading.

python-multipart, which Starlette uses, takes 35 us for a small photograph, as much as half of a bare endpoint; this, 8.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from starlette.requests import Request

from producer_api.errors import RequestError
from schemas.errors import ImageTooLargeError, TruncatedImageError
from schemas.normalisation import MAX_UPLOAD_BYTES

MAX_PREAMBLE_BYTES: Final = 4096
"""Of what stands before a part's data: the delimiter's line and the part's headers."""
MAX_BOUNDARY_BYTES: Final = 70
MAX_FIELD_BYTES: Final = 4096
"""Of a plain field's value."""
SLICE_BYTES: Final = 16 * 1024
"""Of a body that may hold many small parts: so much is parsed before other requests get their turn."""
MANY_PARTS: Final = 16
"""Of one slice."""
_BOUNDARY: Final = re.compile(r'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)
_DISPOSITION: Final = re.compile(rb"^content-disposition:\s*form-data\s*(;.*)$", re.IGNORECASE | re.MULTILINE)
_PARAMETER: Final = re.compile(rb';\s*(name|filename)=(?:"([^"]*)"|([^\s;"]+))', re.IGNORECASE)
_HOW: Final = "Send multipart/form-data, as `curl -F file=@leaf.jpg` does."


class Part(NamedTuple):
    """One complete part: `filename` is None for a plain field."""

    name: str
    filename: str | None
    data: bytes

    @property
    def text(self) -> str:
        """The value of a plain field. Raises RequestError."""
        if len(self.data) > MAX_FIELD_BYTES:
            raise _malformed(f"the field {self.name!r} has {len(self.data)} bytes, at most {MAX_FIELD_BYTES} are read")
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            raise _malformed(f"the field {self.name!r} is not UTF-8") from None


async def parts(request: Request) -> AsyncIterator[Part]:
    """Each part of the body once it is complete. Raises RequestError, ImageTooLargeError, TruncatedImageError."""
    parser, more = Parser(boundary(request.headers.get("content-type", ""))), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            msg = "the connection ended before the body did"
            raise TruncatedImageError(msg, "Send it again.")
        body = message.get("body", b"")
        for start in range(0, len(body), SLICE_BYTES):
            found = parser.feed(body[start : start + SLICE_BYTES])
            for part in found:
                yield part
            if len(found) > MANY_PARTS:
                await asyncio.sleep(0)
        more = message.get("more_body", False)
    parser.close()


def boundary(content_type: str) -> bytes:
    """What separates the parts. Raises RequestError."""
    found = _BOUNDARY.match(content_type)
    text = (found[1] or found[2]) if found else ""
    if not 0 < len(text) <= MAX_BOUNDARY_BYTES:
        raise _malformed("the body is not multipart/form-data with a boundary")
    return text.encode("latin-1")


class Parser:
    """Splits a body at its delimiters, `CRLF--boundary`; each byte is searched once."""

    def __init__(self, separator: bytes) -> None:
        self._delimiter = b"\r\n--" + separator
        self._buffer = bytearray(b"\r\n")  # so that the first delimiter may stand at the very start
        self._searched = 0
        self._inside = False
        self._ended = False

    def feed(self, chunk: bytes) -> list[Part]:
        """The parts that this chunk completes. Raises RequestError, ImageTooLargeError."""
        buffer, delimiter, complete = self._buffer, self._delimiter, list[Part]()
        if self._ended:
            return complete  # an epilogue says nothing
        buffer += chunk
        while (at := buffer.find(delimiter, self._searched)) >= 0:
            if self._inside:
                complete.append(_part(buffer, at))
            del buffer[: at + len(delimiter)]
            self._searched = 0
            self._inside = True
            if buffer[:2] == b"--":
                break
        self._searched = max(0, len(buffer) - len(delimiter))
        if self._inside and buffer[:2] == b"--":
            self._ended = True
        elif len(buffer) > MAX_UPLOAD_BYTES + MAX_PREAMBLE_BYTES:
            raise _too_large()
        return complete

    def close(self) -> None:
        """Raise RequestError if the body ended early."""
        if not self._ended:
            raise _malformed("the multipart body ends before its closing boundary")


def _part(buffer: bytearray, size: int) -> Part:
    """The part at the buffer's start, up to a delimiter: padding, CRLF, headers, an empty line, data (copied once)."""
    end = buffer.find(b"\r\n\r\n", 0, min(size, MAX_PREAMBLE_BYTES))
    disposition = _DISPOSITION.search(bytes(buffer[:end])) if end >= 0 else None
    if disposition is None:
        raise _malformed("a part has no Content-Disposition header")
    told = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(disposition[1])}
    if b"name" not in told:
        raise _malformed("a part has no name")
    if size - end - 4 > MAX_UPLOAD_BYTES:
        raise _too_large()
    filename = told.get(b"filename")
    return Part(
        told[b"name"].decode("utf-8", "replace"),
        None if filename is None else filename.decode("utf-8", "replace"),
        bytes(memoryview(buffer)[end + 4 : size]),
    )


def _malformed(reason: str) -> RequestError:
    return RequestError(reason, _HOW)


def _too_large() -> ImageTooLargeError:
    return ImageTooLargeError(f"the file has more than {MAX_UPLOAD_BYTES // 2**20} MiB", "Send a smaller photograph.")
