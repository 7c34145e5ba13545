"""One image file as a feed: the same event as from its folder. FFmpeg would take it for a video of one frame."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame, capture_time
from schemas.errors import ConfigurationError
from schemas.formats import is_still
from schemas.normalisation import MAX_UPLOAD_BYTES

_HEAD_BYTES: Final = 64


def is_image(path: Path) -> bool:
    """Whether a file holds an image, by its first bytes."""
    try:
        with path.open("rb") as file:
            return is_still(file.read(_HEAD_BYTES))
    except OSError:
        return False


def still(feed: Feed) -> Iterator[Frame]:
    """The one frame of a feed whose source is an image. Raises ConfigurationError for options it has no use for."""
    useless = {"--watch": feed.watch, "--fps": feed.fps, "--camera-from-folder": feed.camera_from_folder}
    if given := [option for option, value in useless.items() if value]:
        msg = f"{feed.title} is one image, {given[0]} is for others"
        raise ConfigurationError(msg, "Leave that option out, or give the folder.")
    path = Path(feed.source)

    def load() -> bytes:
        with path.open("rb") as file:
            return file.read(MAX_UPLOAD_BYTES + 1)  # one more is refused by its size

    return iter([Frame(name=path.name, camera=feed.camera, load=load, captured_at=capture_time(path.name))])
