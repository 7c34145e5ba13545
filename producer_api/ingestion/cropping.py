"""The part of a video's pictures that its file says is to be shown: FFmpeg leaves that to the player."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

HEAD_BYTES: Final = 2**20
"""Matroska describes its tracks near the beginning."""
_SEGMENT, _TRACKS, _TRACK, _VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
_BOTTOM, _TOP, _LEFT, _RIGHT = 0x54AA, 0x54BB, 0x54CC, 0x54DD
_CLAP: Final = b"clap"


class Cropping(NamedTuple):
    """Pixels that are hidden at each side of a picture as it is coded."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def box(self, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """What is left of a picture; None where that is nothing."""
        left, top, right, bottom = self.left, self.top, size[0] - self.right, size[1] - self.bottom
        return (left, top, right, bottom) if 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1] else None


WHOLE: Final = Cropping()


def cropping(path: Path, format_name: str, index: bytes, size: tuple[int, int]) -> Cropping:
    """How the pictures of `size` are cropped. `index` is an MP4's `moov` box.

    Of several videos in a file, the first one's cropping.
    """
    if format_name.startswith("mov,mp4"):
        return _clean_aperture(index, size)
    if format_name.startswith("matroska"):
        with path.open("rb") as file:
            return _pixel_crop(file.read(HEAD_BYTES))
    return WHOLE


def _clean_aperture(index: bytes, size: tuple[int, int]) -> Cropping:
    """ISO/IEC 14496-12, 12.1.4: width, height and the offset of the middle, each a fraction."""
    at = index.find(_CLAP)
    numbers = [int.from_bytes(index[at + start : at + start + 4], signed=True) for start in range(4, 36, 4)]
    if at < 4 or index[at - 4 : at] != (40).to_bytes(4) or not all(numbers[1::2]):
        return WHOLE
    width, height, across, down = (number / below for number, below in zip(numbers[::2], numbers[1::2], strict=True))
    left, top = round(across + (size[0] - width) / 2), round(down + (size[1] - height) / 2)
    return Cropping(left, top, size[0] - left - round(width), size[1] - top - round(height))


def _pixel_crop(data: bytes) -> Cropping:
    """RFC 9559, 5.1.4.1.28.8 to 11."""
    for identifier, segment in _elements(data):
        for name, tracks in _elements(segment) if identifier == _SEGMENT else ():
            for kind, track in _elements(tracks) if name == _TRACKS else ():
                video = dict(_elements(track)).get(_VIDEO) if kind == _TRACK else None
                if video:
                    sides = {name: int.from_bytes(value) for name, value in _elements(video)}
                    return Cropping(*(sides.get(side, 0) for side in (_LEFT, _TOP, _RIGHT, _BOTTOM)))
    return WHOLE


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Identifier and content of each EBML element (RFC 8794), up to where the data end."""
    at = 0
    while at + 2 <= len(data) and data[at]:
        length = 9 - data[at].bit_length()
        identifier, at = int.from_bytes(data[at : at + length]), at + length
        if at >= len(data) or not data[at]:
            return
        length = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + length]) & (1 << 7 * length) - 1
        unknown = size == (1 << 7 * length) - 1
        at += length
        end = len(data) if unknown else at + size
        yield identifier, data[at:end]
        at = end
