"""The HEIC or AVIF file, read box by box: its image without what describes it, and what describes it.

Format: ISO/IEC 23008-12. Decoders copy every item of metadata, of which a thousand may share the same ten megabytes;
and Pillow takes EXIF apart, and refuses the image where it can't. So they are shown the file without the references by
which metadata belongs to an image.
"""

from typing import Final, NamedTuple

from schemas.errors import ImageTooLargeError

MAX_BOXES: Final = 1000
"""Of a file's outermost ones; writers make three to ten."""
MAX_ITEMS: Final = 2000
"""Of a file; a telephone's image has about sixty."""
MAX_OVERLAP: Final = 4
"""How often all items together may hold the file's bytes: each is copied where it is needed."""
_REFERENCE: Final = b"cdsc"
_IGNORED: Final = b"skip"
_EXIF_STARTS: Final = (b"MM\0*\0\0\0\x08", b"II*\0\x08\0\0\0")
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
        kind, end = data[at + 4 : at + 8], _end(data, at)
        if kind == b"meta":
            metadata = metadata or data[at:end]
            _check_items(data[at:end], len(data))
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


def _end(data: bytes, at: int) -> int:
    """Where a box ends: at the file's end if it says so, or says nothing that is possible."""
    size = int.from_bytes(data[at : at + 4])
    if size == 1:
        size = int.from_bytes(data[at + 8 : at + 16])
    return min(at + size, len(data)) if size >= 8 else len(data)


def _check_items(meta: bytes, file_bytes: int) -> None:
    """Raise ImageTooLargeError where there are very many items, or where they overlap without end."""
    at = _child(meta, b"iloc") + 8
    if at < 8:
        return
    version, sizes = int.from_bytes(meta[at : at + 1]), meta[at + 4 : at + 6].ljust(2, b"\0")
    (offset, length), (base, index) = divmod(sizes[0], 16), divmod(sizes[1], 16)
    id_bytes, method_bytes, index = (4 if version > 1 else 2), (2 if version else 0), (index if version else 0)
    count, at = int.from_bytes(meta[at + 6 : at + 6 + id_bytes]), at + 6 + id_bytes
    left, held = MAX_ITEMS, 0
    for _ in range(min(count, MAX_ITEMS + 1)):
        at += id_bytes + method_bytes + 2 + base
        extents, at = int.from_bytes(meta[at : at + 2]), at + 2
        left -= max(1, extents)
        for _ in range(min(extents, MAX_ITEMS)):
            at += index + offset
            held += int.from_bytes(meta[at : at + length]) or file_bytes  # none: all of the file
            at += length
        if left < 0 or held > MAX_OVERLAP * file_bytes:
            msg = f"the file has more than {MAX_ITEMS} items" if left < 0 else "the items of the file overlap"
            raise ImageTooLargeError(msg, "Save it again as an ordinary JPEG.")
        if at >= len(meta):
            break


def _child(meta: bytes, kind: bytes) -> int:
    """Where the box of this kind begins; -1: there is none."""
    at = 12
    for _ in range(MAX_BOXES):
        if meta[at + 4 : at + 8] == kind:
            return at
        at = _end(meta, at)
    return -1


def _code_points(metadata: bytes) -> tuple[int, int] | None:
    at = metadata.find(b"colrnclx") + 8
    return (int.from_bytes(metadata[at : at + 2]), int.from_bytes(metadata[at + 2 : at + 4])) if at > 7 else None
