"""Multipart bodies (RFC 7578), part by part as they arrive: in memory only, with the limits enforced while reading.

python-multipart, which Starlette uses, takes 35 us for a small photograph, as much as half of a bare endpoint; this, 8.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from typing import Final

from starlette.requests import Request

from producer_api.errors import RequestError
from producer_api.uploads.part import MAX_HEADER_BYTES, Part
from schemas.errors import ImageTooLargeError, TruncatedImageError
from schemas.normalisation import MAX_UPLOAD_BYTES

MAX_BOUNDARY_BYTES: Final = 70
TURN: Final = 50
"""Parts after which other requests have their turn: 1 ms; a chunk may hold thousands of tiny ones."""
FORM_TYPE: Final = "multipart/form-data"
_BOUNDARY: Final = re.compile(
    r'multipart/form-data\s*;(?:.*;)?\s*boundary\s*=\s*(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE
)
_HOW: Final = (
    "Send multipart/form-data, as `curl -F file=@leaf.jpg` does; to /predict also the image itself, as image/jpeg."
)


async def parts(request: Request, limit: int) -> AsyncIterator[Part]:
    """Each part of the body once it is complete; one that is too large without its data, once that is known.

    Raises RequestError, ImageTooLargeError for a body of more than `limit` bytes, TruncatedImageError.
    """
    parser, more = Parser(boundary(request.headers.get("content-type", ""))), True
    received = count = 0
    while more:
        chunk, more = await receive(request)
        received += len(chunk)
        if received > limit:
            raise too_large(limit)
        for part in parser.feed(chunk):
            yield part
            count += 1
            if count % TURN == 0:
                await asyncio.sleep(0)
    parser.close()


async def receive(request: Request) -> tuple[bytes, bool]:
    """What of the body has arrived, and whether there is more. Raises TruncatedImageError."""
    message = await request.receive()
    if message["type"] == "http.disconnect":
        msg = "the connection ended before the body did"
        raise TruncatedImageError(msg, "Send it again.")
    return message.get("body", b""), message.get("more_body", False)


def boundary(content_type: str) -> bytes:
    """What separates the parts. Raises RequestError."""
    found = _BOUNDARY.match(content_type)
    text = (found[1] or found[2]) if found else ""
    if not 0 < len(text) <= MAX_BOUNDARY_BYTES:
        said = content_type.partition(";")[0].strip() or "of no Content-Type"
        if said.lower() == FORM_TYPE:
            msg = f"the Content-Type names no boundary of 1 to {MAX_BOUNDARY_BYTES} characters"
            raise RequestError(msg, "Let your HTTP library write that header: it knows the boundary.")
        raise RequestError(f"the body is {said}, not {FORM_TYPE}", _HOW)
    return text.encode("latin-1")


class Parser:
    """Splits a body at its delimiters, `CRLF--boundary`; each byte is searched once."""

    def __init__(self, separator: bytes) -> None:
        self._delimiter = b"\r\n--" + separator
        self._buffer = bytearray(b"\r\n")  # so that the first delimiter may stand at the very start
        self._searched = 0
        self._inside = False
        self._skipping = False
        self._ended = False

    def feed(self, chunk: bytes) -> Iterator[Part]:
        """The parts that this chunk completes, and one that it makes too large. Raises RequestError."""
        buffer, delimiter = self._buffer, self._delimiter
        if self._ended:
            return  # an epilogue says nothing
        buffer += chunk
        while (at := buffer.find(delimiter, self._searched)) >= 0:
            piece = bytes(memoryview(buffer)[:at])
            del buffer[: at + len(delimiter)]
            self._searched = 0
            complete = self._inside and not self._skipping
            self._inside, self._skipping = True, False
            if complete:
                yield Part.read(piece)
            if buffer[:2] == b"--":
                break
        self._searched = max(0, len(buffer) - len(delimiter))
        if self._inside and not self._skipping and buffer[:2] == b"--":
            self._ended = True
        elif len(buffer) > MAX_UPLOAD_BYTES + MAX_HEADER_BYTES:
            piece = bytes(buffer)
            del buffer[: self._searched]
            self._searched = 0
            if self._inside and not self._skipping:
                self._skipping = True
                yield Part.read(piece)

    def close(self) -> None:
        """Raise RequestError if the body ended early."""
        if not self._ended:
            bare = self._delimiter[1:] in self._buffer  # as some write it by hand
            wrong = "its lines end with LF, not CRLF" if bare else "it ends before its closing boundary"
            raise RequestError(f"the multipart body is malformed: {wrong}", _HOW)


def too_large(limit: int) -> ImageTooLargeError:
    """For a body of more than this many bytes."""
    return ImageTooLargeError(f"the body has more than {limit // 2**20} MiB", "Send less at once.")
