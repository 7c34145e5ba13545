"""The HEIC or AVIF file, read box by box: its image without what describes it, and what describes it.

Format: ISO/IEC 23008-12. Decoders copy every item of metadata, of which a thousand may share the same ten megabytes;
and Pillow takes EXIF apart, and refuses the image where it can't. So they are shown the file without the references by
which metadata belongs to an image.
"""

from typing import Final, NamedTuple

from schemas.errors import ImageTooLargeError
from schemas.items import MAX_BOXES, box_end, check_items, check_tiles

_REFERENCE: Final = b"cdsc"
_IGNORED: Final = b"skip"
_EXIF_STARTS: Final = (b"Exif\0\0MM\0*", b"Exif\0\0II*\0", b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0")
_EXIF_BYTES: Final = 64 * 1024


class Heif(NamedTuple):
    """A file of boxes."""

    data: bytes
    """The file, in which no metadata belongs to an image."""
    exif: bytes
    code_points: tuple[int, int] | None
    """Colour primaries and transfer (ITU-T H.273) of the first `nclx` box."""


def read(data: bytes) -> Heif:
    """Raises ImageTooLargeError."""
    view, at = memoryview(data), 0
    parts, metadata = list[bytes | memoryview](), b""
    for _ in range(MAX_BOXES):
        kind, end = data[at + 4 : at + 8], box_end(data, at)
        if kind == b"meta":
            metadata = metadata or data[at:end]
            check_items(data[at:end], len(data))
            check_tiles(data[at:end])
            parts.append(data[at:end].replace(_REFERENCE, _IGNORED))
        else:
            parts.append(view[at:end])
        at = end
        if at >= len(data):
            break
    else:
        msg = f"the file has more than {MAX_BOXES} boxes"
        raise ImageTooLargeError(msg, "Save it again as an ordinary JPEG.")
    found = min((place for start in _EXIF_STARTS if (place := data.find(start)) >= 0), default=len(data))
    return Heif(b"".join(parts), data[found : found + _EXIF_BYTES], _code_points(metadata))


def _code_points(metadata: bytes) -> tuple[int, int] | None:
    at = metadata.find(b"colrnclx") + 8
    return (int.from_bytes(metadata[at : at + 2]), int.from_bytes(metadata[at + 2 : at + 4])) if at > 7 else None
