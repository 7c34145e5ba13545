"""The items of a HEIC or AVIF file: a few bytes can say that a thousand share ten megabytes, or make up an image.

Format: ISO/IEC 14496-12, 8.11, and 23008-12. `meta` is a whole `meta` box.
"""

import math
from typing import Final

from schemas.errors import ImageTooLargeError

MAX_BOXES: Final = 1000
"""Of a file's outermost ones; writers make three to ten."""
MAX_ITEMS: Final = 2000
"""Of a file; a telephone's image has about sixty."""
MAX_OVERLAP: Final = 4
"""How often all items together may hold the file's bytes: each is copied where it is needed."""
MAX_TILE_PIXELS: Final = 2**27
"""Of all tiles of an image together, each as often as it is used: twice what an image may have."""
MAX_DEPTH: Final = 4
"""Of images made of images."""


def box_end(data: bytes, at: int) -> int:
    """Where a box ends: at the file's end if it says so, or says nothing that is possible."""
    size = int.from_bytes(data[at : at + 4])
    if size == 1:
        size = int.from_bytes(data[at + 8 : at + 16])
    return min(at + size, len(data)) if size >= 8 else len(data)


def check_items(meta: bytes, file_bytes: int) -> None:
    """Raise ImageTooLargeError where there are very many items, or where they overlap without end."""
    at = _children(meta).get(b"iloc", len(meta)) + 8
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


def check_tiles(meta: bytes) -> None:
    """Raise ImageTooLargeError where the primary image is made of more pixels than are decoded.

    A tile may come any number of times, and be a grid of tiles itself.
    """
    boxes = _children(meta)
    if not {b"pitm", b"iprp", b"iref"} <= boxes.keys():
        return
    made_of = _made_of(meta, boxes[b"iref"])
    sizes = _pixels(meta, boxes[b"iprp"])
    wide = meta[boxes[b"pitm"] + 8] > 0
    primary = _number(meta, boxes[b"pitm"] + 12, 4 if wide else 2)
    layer, pixels = {primary: 1}, 0
    for _ in range(MAX_DEPTH):
        below: dict[int, int] = {}
        for item, times in layer.items():
            for part in made_of.get(item, ()):
                below[part] = below.get(part, 0) + times
        pixels += sum(times * sizes.get(item, 0) for item, times in below.items() if item not in made_of)
        layer = below
    if pixels > MAX_TILE_PIXELS or layer:
        msg = f"the image is put together from {math.ceil(pixels / 1e6)} megapixels of tiles"
        raise ImageTooLargeError(msg, "Save it again as an ordinary JPEG.")


def _made_of(meta: bytes, at: int) -> dict[int, list[int]]:
    """Of `iref`: an item that is derived from others -> those, each as often as it is used."""
    id_bytes, end, found = (4 if meta[at + 8] else 2), box_end(meta, at), dict[int, list[int]]()
    at, left = at + 12, MAX_ITEMS
    while at < end and left > 0:
        item, count = _number(meta, at + 8, id_bytes), _number(meta, at + 8 + id_bytes, 2)
        left -= 1
        if meta[at + 4 : at + 8] == b"dimg":
            left -= count
            first = at + 10 + id_bytes
            found.setdefault(item, []).extend(
                _number(meta, place, id_bytes) for place in range(first, first + id_bytes * count, id_bytes)
            )
        at = box_end(meta, at)
    if left <= 0:
        msg = f"the file has more than {MAX_ITEMS} references between its items"
        raise ImageTooLargeError(msg, "Save it again as an ordinary JPEG.")
    return found


def _pixels(meta: bytes, at: int) -> dict[int, int]:
    """Of `iprp`: item -> its pixels."""
    inner = _children(meta, at + 8, box_end(meta, at))
    if not {b"ipco", b"ipma"} <= inner.keys():
        return {}
    sizes, place = [0], inner[b"ipco"] + 8
    for _ in range(MAX_ITEMS):
        if place >= box_end(meta, inner[b"ipco"]):
            break
        is_size = meta[place + 4 : place + 8] == b"ispe"
        sizes.append(_number(meta, place + 12, 4) * _number(meta, place + 16, 4) if is_size else 0)
        place = box_end(meta, place)
    at = inner[b"ipma"]
    id_bytes, index_bytes = (4 if meta[at + 8] else 2), (2 if meta[at + 11] & 1 else 1)
    found, at = dict[int, int](), at + 16
    for _ in range(min(_number(meta, at - 4, 4), MAX_ITEMS)):
        item, count = _number(meta, at, id_bytes), _number(meta, at + id_bytes, 1)
        at += id_bytes + 1
        for _ in range(count):
            index = _number(meta, at, index_bytes) & (0x7FFF if index_bytes == 2 else 0x7F)
            found[item] = max(found.get(item, 0), sizes[index] if index < len(sizes) else 0)
            at += index_bytes
    return found


def _children(meta: bytes, at: int = 12, end: int | None = None) -> dict[bytes, int]:
    """Kind -> where the first box of that kind begins, of the boxes in another; of a `meta` box, where none is said."""
    found: dict[bytes, int] = {}
    for _ in range(MAX_BOXES):
        if at + 12 > (len(meta) if end is None else end):
            break
        found.setdefault(meta[at + 4 : at + 8], at)
        at = box_end(meta, at)
    return found


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size])
