"""Reading photographs of `<label>/*` from a folder tree or a zip."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.errors import LeafError
from schemas.labels import LABELS, NOT_TOMATO_LEAF
from training.classname import OTHER_TOMATO_PROBLEM, label_of

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".bmp", ".tif", ".tiff", ".gif")

NEGATIVE: Final = -1
"""Class index of `not_tomato_leaf`."""
OTHER_PROBLEM: Final = -2
"""Class index of `other_tomato_problem`."""
_OUTSIDE: Final = {NOT_TOMATO_LEAF: NEGATIVE, OTHER_TOMATO_PROBLEM: OTHER_PROBLEM}


class DatasetError(LeafError):
    """The data set is not where or not what it should be."""

    kind = "dataset"
    title = "The photographs can't be read"


@dataclass(frozen=True)
class Photograph:
    """One file of a data set, not yet decoded."""

    path: str
    label: str | None
    """One of the ten, `not_tomato_leaf`, `other_tomato_problem`, or None where the folder's name is none of these."""
    content: bytes


def photographs(source: Path) -> Iterator[Photograph]:
    """Yield the files under a folder or in a zip whose folder is a label, and pictures elsewhere, sorted by path.

    Hidden files are passed over. Raises DatasetError where there is nothing to read.
    """
    for path, content in _directory(source) if source.is_dir() else _archive(source):
        label = label_of(str(path.parent))
        if label or path.suffix.lower() in IMAGE_SUFFIXES:
            yield Photograph(str(path), label, content)


def count(source: Path) -> int:
    """How many files `photographs` looks at, without reading them."""
    return len(_files(source)) if source.is_dir() else len(_members(source))


def index_of(label: str | None) -> int:
    """Position of a label in the logits, -1 for `not_tomato_leaf`, -2 for `other_tomato_problem`."""
    return _OUTSIDE[label] if label in _OUTSIDE else LABELS.index(str(label))


def _directory(source: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    for file in _files(source):
        name = os.fsencode(file.relative_to(source)).decode(errors="backslashreplace")  # it may not be UTF-8
        yield PurePosixPath(name), file.read_bytes()


def _archive(source: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    names = _members(source)
    with zipfile.ZipFile(source) as archive:
        for name in names:
            try:
                content = archive.read(name)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, zlib.error, LZMAError):
                content = b""  # reported as a bad file, like any other that can't be decoded
            yield PurePosixPath(name), content


def _files(source: Path) -> list[Path]:
    found = [Path(folder, name) for folder, names in _folders(source) for name in names]
    return sorted(file for file in found if file.is_file() and not _hidden(file.relative_to(source).parts))


def _folders(source: Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder once with its files, links followed, however they lead back."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(source, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield folder, names


def _members(source: Path) -> list[str]:
    try:
        with zipfile.ZipFile(source) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    except FileNotFoundError:
        msg = f"{source} does not exist"
        raise DatasetError(msg, "Give a folder or zip of <label>/<photograph>.") from None
    except (zipfile.BadZipFile, OSError) as error:
        msg = f"{source} is neither a folder nor a readable zip: {error}"
        raise DatasetError(msg, "Give a folder or zip of <label>/<photograph>.") from None
    return sorted(name for name in names if not _hidden(PurePosixPath(name).parts))


def _hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)
