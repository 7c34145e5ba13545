"""Multipart bodies, part by part as they arrive: in memory only, with the limits enforced while reading."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from producer_api.errors import RequestError
from schemas.errors import ImageTooLargeError, TruncatedImageError
from schemas.normalisation import MAX_UPLOAD_BYTES

MAX_TEXT_BYTES: Final = 1024
"""Of a part that is no file."""
MAX_HEADER_BYTES: Final = 4096
_HOW: Final = "Send multipart/form-data, as `curl -F file=@leaf.jpg` does."


class Part(NamedTuple):
    """One complete part: `filename` is None for a plain field."""

    name: str
    filename: str | None
    data: bytes

    @property
    def text(self) -> str:
        """The value of a plain field. Raises RequestError."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            msg = f"the field {self.name!r} is not UTF-8"
            raise RequestError(msg, _HOW) from None


async def parts(request: Request) -> AsyncIterator[Part]:
    """Each part of the body once it is complete. Raises RequestError, ImageTooLargeError, TruncatedImageError."""
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if media_type != b"multipart/form-data" or not boundary:
        msg = "the body is not multipart/form-data with a boundary"
        raise RequestError(msg, _HOW)
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())  # type: ignore[arg-type]
        async for chunk in request.stream():
            parser.write(chunk)
            while collector.complete:
                yield collector.complete.pop(0)
    except FormParserError as error:
        msg = f"the multipart body is malformed: {error}"
        raise RequestError(msg, _HOW) from error
    except ClientDisconnect:
        msg = "the connection ended before the body did"
        raise TruncatedImageError(msg, "Send it again.") from None
    if not collector.ended:
        msg = "the multipart body ends before its closing boundary"
        raise RequestError(msg, _HOW)


class _Collector:
    """What the parser's callbacks gather."""

    def __init__(self) -> None:
        self.complete: list[Part] = []
        self.ended = False
        self._header = b""
        self._value = b""
        self._disposition = b""
        self._name = ""
        self._filename: str | None = None
        self._chunks: list[bytes] = []
        self._size = 0

    def callbacks(self) -> dict[str, object]:
        return {
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_headers_finished": self.on_headers_finished,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_end": self.on_end,
        }

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._bounded(self._header)

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded(self._value)

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            msg = "a part has no name"
            raise RequestError(msg, _HOW)
        self._name = options[b"name"].decode("utf-8", "replace")
        filename = options.get(b"filename")
        self._filename = None if filename is None else filename.decode("utf-8", "replace")
        self._disposition, self._chunks, self._size = b"", [], 0

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._filename is None and self._size > MAX_TEXT_BYTES:
            msg = f"the field {self._name!r} is longer than {MAX_TEXT_BYTES} bytes"
            raise RequestError(msg, _HOW)
        if self._size > MAX_UPLOAD_BYTES:
            msg = f"the file has more than {MAX_UPLOAD_BYTES // 2**20} MiB"
            raise ImageTooLargeError(msg, "Send a smaller photograph.")
        self._chunks.append(data[start:end])

    def on_part_end(self) -> None:
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self.complete.append(Part(self._name, self._filename, data))
        self._chunks = []

    def on_end(self) -> None:
        self.ended = True

    @staticmethod
    def _bounded(text: bytes) -> None:
        if len(text) > MAX_HEADER_BYTES:
            msg = f"a header of a part is longer than {MAX_HEADER_BYTES} bytes"
            raise RequestError(msg, _HOW)
