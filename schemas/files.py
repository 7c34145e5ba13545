"""The files of a folder or a zip, whatever system wrote their names."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.errors import ImageError, ImageTooLargeError
from schemas.filekind import HEAD_BYTES, kind_of

_DOCUMENTS: Final = {
    ".docx",
    ".xlsx",
    ".pptx",
    ".odt",
    ".ods",
    ".odp",
    ".epub",
    ".jar",
    ".apk",
    ".npz",
    ".keras",
    ".whl",
}
"""Zips inside, but nobody's collection of photographs."""

_REASONS: Final = {
    "archive": "it is an archive of its own: unpack it, or give it by itself",
    "video": "it is a video: give it by itself",
    "hidden": "it is hidden: its name or its folder's begins with a dot, or is __MACOSX",
}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file, not read yet."""

    path: PurePosixPath
    """Relative, printable, and of no other file of the same source."""
    size: int
    load: Callable[[int], bytes] = field(compare=False)
    """At most so many bytes from the start; -1: all. Raises ImageError or OSError."""
    modified_ns: int = 0
    """When it was last written; 0 in an archive."""

    @property
    def hidden(self) -> bool:
        """Whether it or a folder on its way is hidden, or macOS's metadata."""
        return any(part.startswith((".", "__MACOSX")) for part in self.path.parts)

    def read(self, limit: int) -> bytes:
        """Its content. Raises ImageTooLargeError above `limit` bytes, ImageError or OSError where it can't be read."""
        if self.size > limit:
            msg = f"the file has {self.size / 2**20:.1f} MiB, {limit // 2**20} are accepted"
            raise ImageTooLargeError(msg, "Make it smaller.")
        return self.load(-1)

    def unusable(self, reason: str) -> "StoredFile":
        """The same file, which can't be read for this reason."""

        def refuse(_: int) -> bytes:
            raise ImageError(reason)

        return StoredFile(self.path, 0, refuse)


def showing(file: StoredFile, suffixes: Iterable[str]) -> StoredFile | None:
    """The file if it holds a picture, by suffix or content, or may hold one; None where it holds none.

    Where the picture can't be used, because the file is hidden, an archive or a video, loading it raises the reason.
    """
    suffix = file.path.suffix.lower()
    if suffix in suffixes and not file.hidden:
        return file
    try:
        kind = kind_of(file.load(HEAD_BYTES))
    except (ImageError, OSError):  # nobody knows what it holds
        return None if file.hidden else file
    if kind is None or (kind == "archive" and suffix in _DOCUMENTS):
        return None
    return file.unusable(_REASONS["hidden" if file.hidden else kind]) if file.hidden or kind != "picture" else file


def in_folder(root: Path) -> Iterator[StoredFile]:
    """Every file below a folder in order of path, links followed but none twice; also what can't be opened."""
    found = [*_walk(root)]
    paths = unique(printable(os.fsencode(path.relative_to(root)).decode(errors="backslashreplace")) for path in found)
    files = [_stored(path, file) for path, file in zip(paths, found, strict=True)]
    return iter(sorted((file for file in files if file), key=lambda file: file.path))


def printable(name: str) -> str:
    r"""The name with control and other invisible characters written as in `\x1b`, for terminals and logs."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in name
    )


def unique(names: Iterable[str]) -> Iterator[PurePosixPath]:
    """Paths of which none comes twice: the second `a.jpg` is `a (2).jpg`."""
    taken: set[PurePosixPath] = set()
    for name in names:
        path, number = PurePosixPath(name), 1
        while path in taken:
            number += 1
            path = PurePosixPath(name).with_stem(f"{PurePosixPath(name).stem} ({number})")
        taken.add(path)
        yield path


def _walk(root: Path) -> Iterator[Path]:
    seen: set[str] = set()
    errors: list[OSError] = []
    for folder, folders, names in os.walk(root, followlinks=True, onerror=errors.append):
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names))
    yield from (Path(error.filename) for error in errors if error.filename and Path(error.filename) != root)


def _stored(path: PurePosixPath, file: Path) -> StoredFile | None:
    """None for pipes and devices, which would never end."""

    def load(size: int) -> bytes:
        with file.open("rb") as stream:
            return stream.read(size)

    try:
        state = file.stat()
    except OSError:
        return StoredFile(path, 0, load)
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        return None
    return StoredFile(path, state.st_size, load, state.st_mtime_ns)
