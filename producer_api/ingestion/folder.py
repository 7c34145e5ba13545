"""Frames of a folder or zip, once, or of a folder for as long as files arrive."""

import threading
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame, capture_time
from schemas.files import StoredFile, in_folder, showing
from schemas.normalisation import MAX_UPLOAD_BYTES

SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"}
UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", ".swp", "~")
"""How names of files end that another program still writes."""


def camera_of(path: PurePosixPath, feed: Feed) -> str | None:
    """Whose picture this is: the feed's camera, or its first folder."""
    if feed.camera_from_folder:
        return path.parts[0] if len(path.parts) > 1 else ""
    return feed.camera


def pictures(files: Iterable[StoredFile]) -> list[StoredFile]:
    """Those that hold a picture, and those that can't be used though they may hold one."""
    return [shown for file in files if (shown := showing(file, SUFFIXES))]


def frames(feed: Feed, files: Iterable[StoredFile]) -> Iterator[Frame]:
    """The frames of these files."""
    for file in files:
        path = file.path
        load = partial(file.read, MAX_UPLOAD_BYTES)
        yield Frame(name=str(path), camera=camera_of(path, feed), load=load, captured_at=capture_time(path.name))


def watched(feed: Feed, seconds: float, stop: threading.Event) -> Iterator[Frame | None]:
    """Frames of a folder as its files become complete; None: nothing more just now.

    A file is complete when neither its size nor its modification time changed between two looks; one that changes
    later comes again. Looks instead of listening, so that network drives work too.
    """
    done: dict[PurePosixPath, tuple[int, int]] = {}
    before: dict[PurePosixPath, tuple[int, int]] = {}
    while not stop.is_set():
        now = {}
        for file in in_folder(Path(feed.source)):
            if file.hidden or file.path.name.lower().endswith(UNFINISHED):
                continue
            state = now[file.path] = (file.size, file.modified_ns)
            if before.get(file.path) == state != done.get(file.path):
                done[file.path] = state
                yield from frames(feed, pictures([file]))
        before = now
        yield None
        stop.wait(seconds)
