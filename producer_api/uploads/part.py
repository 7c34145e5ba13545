"""One part of a multipart body, however its client wrote its headers."""

import binascii
import quopri
import re
from typing import Final, NamedTuple, Self
from urllib.parse import unquote_to_bytes

from producer_api.errors import RequestError
from schemas.errors import ImageTooLargeError
from schemas.normalisation import MAX_UPLOAD_BYTES

MAX_HEADER_BYTES: Final = 4096
"""Of what stands before a part's data: the delimiter's line and the part's headers."""
MAX_TEXT_BYTES: Final = 4096
"""Of a plain field."""
_FOLD: Final = re.compile(rb"\r\n[ \t]+")
_PARAMETER: Final = re.compile(rb';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_ESCAPED: Final = re.compile(rb'\\(["\\])')
_EXTENDED: Final = re.compile(rb"([A-Za-z0-9_.:-]+)'[^']*'(.*)")
"""charset'language'percent-encoded (RFC 8187)."""
_AS_TEXT: Final = (b"data:", b"/9j/", b"iVBORw0KGgo", b"UklGR")
"""How a data: address begins, and JPEG, PNG and WebP in base64."""
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})


class Part(NamedTuple):
    """One complete part: `filename` is None for a plain field, and empty where a browser's user chose no file."""

    name: str
    filename: str | None
    data: bytes
    encoding: str = ""
    """Its Content-Transfer-Encoding, in lower case; empty for the usual ones, which leave the bytes as they are."""
    charset: str = "utf-8"
    too_large: bool = False
    """Of more than MAX_UPLOAD_BYTES; `data` is empty then."""

    @classmethod
    def read(cls, piece: bytes) -> Self:
        """What stands between two delimiters: padding, CRLF, headers, an empty line, data. Raises RequestError."""
        end = piece.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES)
        headers = _headers(piece[:end]) if end >= 0 else {}
        disposition = headers.get(b"content-disposition", b"")
        if not disposition[:9].lower() == b"form-data":
            raise _malformed("a part has no header `Content-Disposition: form-data`")
        parameters = _parameters(disposition)
        if b"name" not in parameters:
            raise _malformed("a part has no name")
        too_large = len(piece) - end - 4 > MAX_UPLOAD_BYTES
        encoding = headers.get(b"content-transfer-encoding", b"").decode("latin-1").lower()
        return cls(
            _text(parameters[b"name"]),
            _filename(parameters),
            b"" if too_large else piece[end + 4 :],
            "" if encoding in _PLAIN else encoding,
            _charset(headers.get(b"content-type", b"")),
            too_large,
        )

    @property
    def is_file(self) -> bool:
        """Whether it came as a file, with a name or without."""
        return self.filename is not None

    @property
    def is_empty(self) -> bool:
        """Whether it is what a browser sends where no file was chosen."""
        return not self.filename and not self.data and not self.too_large

    @property
    def text(self) -> str:
        """The value of a plain field, without the blanks around it. Raises RequestError."""
        if self.too_large or len(self.data) > MAX_TEXT_BYTES:
            raise _malformed(f"the field {self.name!r} has more than {MAX_TEXT_BYTES} bytes")
        try:
            return self.decoded().decode(self.charset).strip()
        except (ValueError, LookupError):  # no such text, or no such charset
            raise _malformed(f"the field {self.name!r} is not {self.charset.upper()}") from None

    def decoded(self) -> bytes:
        """The data without its transfer encoding: for a photograph in base64, 10 ms. Raises RequestError."""
        match self.encoding:
            case "":
                return self.data
            case "base64":
                try:
                    return binascii.a2b_base64(self.data)
                except binascii.Error as error:
                    raise _malformed(f"the field {self.name!r} is no base64: {error}") from None
            case "quoted-printable":
                return quopri.decodestring(self.data)
        remedy = "Send the bytes as they are, without Content-Transfer-Encoding."
        raise RequestError(f"the field {self.name!r} is in the unknown encoding {self.encoding!r}", remedy)

    def photograph(self) -> bytes:
        """The data of a file: `decoded`, within the limit. Raises ImageTooLargeError, RequestError."""
        if self.too_large:
            msg = f"the file has more than {MAX_UPLOAD_BYTES // 2**20} MiB"
            raise ImageTooLargeError(msg, "Send a smaller photograph.")
        data = self.decoded()
        if data.startswith(_AS_TEXT):
            msg = "the photograph is written as text, base64 or a data: address"
            raise RequestError(msg, "Send its bytes (of a canvas: toBlob), or name the encoding in the part's header.")
        return data


def _headers(head: bytes) -> dict[bytes, bytes]:
    """Names in lower case to values, of what follows the delimiter."""
    if b"\r\n " in head or b"\r\n\t" in head:
        head = _FOLD.sub(b" ", head)
    fields = (line.partition(b":") for line in head.split(b"\r\n"))
    return {name.strip().lower(): value.strip() for name, _, value in fields}


def _charset(content_type: bytes) -> str:
    if b"charset" not in content_type.lower():  # the usual case costs nothing
        return "utf-8"
    return _parameters(content_type).get(b"charset", b"utf-8").decode("latin-1")


def _parameters(header: bytes) -> dict[bytes, bytes]:
    return {
        name.lower(): _ESCAPED.sub(rb"\1", quoted) if quoted else plain
        for name, quoted, plain in _PARAMETER.findall(header)
    }


def _filename(parameters: dict[bytes, bytes]) -> str | None:
    """RFC 8187's extended form where there is one; clients send the other beside it for servers that don't know it."""
    if found := _EXTENDED.fullmatch(parameters.get(b"filename*", b"")):
        try:
            return unquote_to_bytes(found[2]).decode(found[1].decode())
        except (ValueError, LookupError):
            pass
    return _text(parameters[b"filename"]) if b"filename" in parameters else None


def _text(raw: bytes) -> str:
    """As browsers write it, UTF-8; as older clients do, Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _malformed(reason: str) -> RequestError:
    return RequestError(reason, "Send multipart/form-data, as `curl -F file=@leaf.jpg` does.")
