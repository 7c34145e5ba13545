"""The frame: one picture of a source before it is looked at, when it was taken, and the ids of its events."""

import base64
import hashlib
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from PIL import Image

_TIME: Final = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)[-_T. ]{0,2}(\d\d)[-_.:]?(\d\d)[-_.:]?(\d\d)"
    r"(?:[-_.]?(\d{3}))?(Z?)(?!\d)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """One picture of a source, not loaded yet."""

    name: str
    """What reports and the event call it: relative path, or file and time."""
    camera: str | None
    load: Callable[[], bytes | Image.Image]
    """Reads a file's bytes, or turns a video frame into a picture; may raise OSError or ImageError."""
    captured_at: datetime | None = None
    """Naive: in the camera's time zone."""
    digest: bytes | None = None
    """SHA-256 of the source's bytes; None: of what `load` returns."""


class Shot(NamedTuple):
    """What a camera sent as one picture, not decoded yet."""

    load: Callable[[], Image.Image]
    """May raise ImageError."""
    sound: bool = True
    """False where it is known to be damaged."""


def image_id(camera: str | None, moment: datetime | str, part: str, digest: bytes) -> str:
    """The same for the same part of the same picture of the same camera, however often it is ingested.

    `moment` is the capture time, or the relative path where none is known; never the file's modification time, which
    changes with every copy.
    """
    when = moment if isinstance(moment, str) else moment.isoformat()
    message = b"".join(
        len(part).to_bytes(4) + part for part in (*(map(str.encode, (camera or "", when, part))), digest)
    )
    return "frame-" + base64.urlsafe_b64encode(hashlib.sha256(message).digest()[:24]).decode()


def capture_time(name: str) -> datetime | None:
    """The time a file name tells, as in `IMG_20260701_083000.jpg` or `2026-07-01T08-30-00Z.jpg`, if any."""
    for found in _TIME.finditer(name):
        *date, milliseconds, utc = found.groups()
        with suppress(ValueError):
            micro = int(milliseconds or 0) * 1000
            return datetime(*map(int, date), micro, tzinfo=UTC if utc else None)  # type: ignore[misc,arg-type]
    return None
