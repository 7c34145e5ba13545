"""Frames of a folder, once or for as long as files arrive."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame, capture_time
from schemas.errors import ImageError, ImageTooLargeError
from schemas.normalisation import MAX_UPLOAD_BYTES

SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif"}


def is_picture(path: PurePosixPath) -> bool:
    """Whether the name is a picture's: hidden and temporary files and other types are passed over."""
    return path.suffix.lower() in SUFFIXES and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


def camera_of(path: PurePosixPath, feed: Feed) -> str | None:
    """Whose picture this is: the feed's camera, or its first folder."""
    if feed.camera_from_folder:
        return path.parts[0] if len(path.parts) > 1 else ""
    return feed.camera


def pictures(root: Path) -> list[PurePosixPath]:
    """Relative paths of all pictures in a folder, in order of path."""
    found = (PurePosixPath(path.relative_to(root).as_posix()) for path in root.rglob("*") if path.is_file())
    return sorted(filter(is_picture, found))


def folder(feed: Feed, paths: list[PurePosixPath]) -> Iterator[Frame]:
    """The frames of these pictures in the feed's folder."""
    for path in paths:
        yield _frame(feed, path)


def watched(feed: Feed, seconds: float, stop: threading.Event) -> Iterator[Frame | None]:
    """Frames of a folder as its files become complete; None: nothing more just now.

    A file is complete when neither its size nor its modification time changed between two looks; one that changes
    later comes again. Looks instead of listening, so that network drives work too.
    """
    root = Path(feed.source)
    done: dict[PurePosixPath, tuple[int, int]] = {}
    before: dict[PurePosixPath, tuple[int, int]] = {}
    while not stop.is_set():
        now = {path: state for path in pictures(root) if (state := _state(root / path))}
        for path, state in now.items():
            if before.get(path) == state != done.get(path):
                done[path] = state
                yield _frame(feed, path)
        before = now
        yield None
        stop.wait(seconds)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_size, stat.st_mtime_ns


def _frame(feed: Feed, path: PurePosixPath) -> Frame:
    file = Path(feed.source) / path

    def load() -> bytes:
        if file.stat().st_size > MAX_UPLOAD_BYTES:
            raise too_large(file.stat().st_size)
        return file.read_bytes()

    name = os.fsencode(path).decode(errors="backslashreplace")  # some file servers write other alphabets than UTF-8
    return Frame(name=name, camera=camera_of(path, feed), load=load, captured_at=capture_time(path.name))


def too_large(size: int) -> ImageError:
    """The error for a file that is not even read."""
    msg = f"the file has {size / 2**20:.1f} MiB, {MAX_UPLOAD_BYTES // 2**20} are accepted"
    return ImageTooLargeError(msg, "Make it smaller.")
