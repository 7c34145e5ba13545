"""What a feed's source gives: the one place that knows which kinds there are."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from producer_api.ingestion.address import is_address, shown
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.folder import frames, pictures, watched
from producer_api.ingestion.frame import Frame
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.still import is_image, still
from schemas.archive import in_archive, is_archive
from schemas.errors import ConfigurationError
from schemas.files import in_folder


@dataclass(frozen=True)
class Source:
    """A feed's frames; a None among them: nothing more just now."""

    frames: Iterator[Frame | None]
    total: int | None = None
    """How many there will be, where known; of a video about."""
    live: bool = False
    """A camera does not wait: what can't be sent now is dropped."""


def open_source(feed: Feed, settings: IngestSettings, stop: threading.Event, *, patient: bool) -> Source:
    """Open a folder, zip, image, video file or camera. Raises ConfigurationError."""
    path = Path(feed.source)
    packed = path.is_file() and (path.suffix.lower() == ".zip" or is_archive(path))
    if is_address(feed.source) and not feed.is_stream:
        msg = f"{feed.title} can't be read"
        raise ConfigurationError(msg, "A camera's address begins with http://, https://, rtsp:// or rtsps://.")
    if not (feed.is_stream or path.exists()):
        msg = f"{shown(feed.source)} does not exist"
        raise ConfigurationError(msg, "Give a folder, a zip, an image, a video file or a camera's address.")
    if path.is_file() and is_image(path):
        return Source(still(feed), 1)
    if feed.is_stream or not (path.is_dir() or packed):
        return _moving(feed, settings, stop, patient=patient)
    if feed.fps:
        msg = f"{feed.title} has no frame rate"
        raise ConfigurationError(msg, "--fps is for videos and cameras.")
    if packed:
        _refuse_watch(feed)
    if feed.watch:
        return Source(watched(feed, settings.watch_seconds, stop))
    found = pictures(in_archive(path) if packed else in_folder(path))
    return Source(frames(feed, found), len(found))


def _moving(feed: Feed, settings: IngestSettings, stop: threading.Event, *, patient: bool) -> Source:
    from producer_api.ingestion.video import live, video  # noqa: PLC0415  FFmpeg: 100 ms
    from producer_api.ingestion.video_file import expected_frames, open_video  # noqa: PLC0415

    _refuse_watch(feed)
    if feed.camera_from_folder:
        msg = f"{feed.title} has no sub-folders"
        raise ConfigurationError(msg, "Give its --camera.")
    if feed.is_stream:
        return Source(live(feed, settings, stop, patient=patient), live=True)
    container = open_video(feed.source)
    return Source(video(feed, container), expected_frames(container, feed.fps))


def _refuse_watch(feed: Feed) -> None:
    if feed.watch:
        msg = f"{feed.title} can't be watched"
        raise ConfigurationError(msg, "--watch is for folders.")
