"""Reading photographs of `<label>/*` from a folder tree or a zip."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from schemas.archive import in_archive
from schemas.errors import ConfigurationError, ImageError, LeafError
from schemas.filekind import kind_of
from schemas.files import StoredFile, in_folder, showing
from schemas.labels import LABELS, NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM
from training.classname import label_of

logger = logging.getLogger(__name__)

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".bmp", ".tif", ".tiff", ".gif")

MAX_BYTES: Final = 2**28
"""Of one photograph; a zip may say that it holds more than any memory does."""

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
    problem: str = ""
    """Why there is no content: it can't be read."""


def photographs(source: Path) -> Iterator[Photograph]:
    """Yield the files under a folder or in a zip whose folder is a label, and pictures elsewhere, sorted by path.

    Of hidden files only pictures, which can't be used. Raises DatasetError where there is nothing to read.
    """
    for file in _files(source):
        label = label_of(str(file.path.parent))
        found = file if label and not file.hidden else showing(file, IMAGE_SUFFIXES)
        if not found:
            continue
        try:
            yield Photograph(str(file.path), label, found.read(MAX_BYTES))
        except ImageError as error:
            yield Photograph(str(file.path), label, b"", str(error))
        except OSError as error:
            yield Photograph(str(file.path), label, b"", f"it can't be read: {error.strerror or error}")


def count(source: Path) -> int:
    """How many files `photographs` looks at, without reading them."""
    return sum(not file.hidden for file in _files(source))


def usable(items: Iterable[Photograph]) -> Iterator[Photograph]:
    """Those in class folders that can be read; names in the log every folder and file that is not used, and counts."""
    folders: Counter[str] = Counter()
    for item in items:
        if item.problem:
            logger.warning("%s is not used: %s", item.path, item.problem)
        elif item.label is None:
            folders[str(PurePosixPath(item.path).parent)] += 1
        elif PurePosixPath(item.path).suffix.lower() in IMAGE_SUFFIXES or kind_of(item.content) == "picture":
            yield item
        else:
            logger.warning("%s is not used: it is no picture", item.path)
    for folder, number in sorted(folders.items()):
        logger.warning("%s is not used: the folder's name is no known class (photographs: %d)", folder, number)


def index_of(label: str | None) -> int:
    """Position of a label in the logits, -1 for `not_tomato_leaf`, -2 for `other_tomato_problem`."""
    return _OUTSIDE[label] if label in _OUTSIDE else LABELS.index(str(label))


def _files(source: Path) -> list[StoredFile]:
    try:
        return list(in_folder(source)) if source.is_dir() else in_archive(source)
    except ConfigurationError as error:
        raise DatasetError(str(error), error.remedy) from error
