"""The prepared data set: every photograph decoded once, with its leaf cut out, in memory-mapped arrays."""

import hashlib
import io
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from schemas.errors import ImageError, ImageTooLargeError, NotAnImageError
from schemas.normalisation import decode
from stream_workers.decoding import centre_square
from training.cutouts import leaf_mask
from training.dataset import OTHER_PROBLEM, DatasetError, Photograph, index_of, photographs, usable

logger = logging.getLogger(__name__)

SIDE = 128
"""Pixels; the side of the stored squares."""


@dataclass(frozen=True)
class Prepared:
    """One split: `rgba` uint8 [N, 128, 128, 4] (alpha 0 everywhere: no cut-out), `labels` int64 [N] (-1: no tomato)."""

    rgba: NDArray[np.uint8]
    labels: NDArray[np.int64]
    fingerprint: str

    @staticmethod
    def there(directory: Path) -> bool:
        """Whether `prepare` has come to its end."""
        return (directory / "labels.npy").exists()

    @classmethod
    def load(cls, directory: Path) -> "Prepared":
        """Open what `prepare` wrote. Raises DatasetError where it has not, or was stopped before its end."""
        if not cls.there(directory):
            msg = f"there are no prepared photographs in {directory}"
            raise DatasetError(msg, "Make them with `python -m training prepare`.")
        rgba = np.load(directory / "rgba.npy", mmap_mode="r")
        labels = np.load(directory / "labels.npy")
        return cls(rgba[: len(labels)], labels, (directory / "fingerprint.txt").read_text())


def prepare(source: Path, directory: Path) -> Prepared:
    """Decode and cut out every photograph of one split; what can't be decoded is skipped with a warning.

    The labels are written last. Raises DatasetError where there is no photograph.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "labels.npy").unlink(missing_ok=True)
    items = [item for item in usable(photographs(source)) if index_of(item.label) != OTHER_PROBLEM]
    if not items:
        msg = f"{source} holds no photograph in a folder named by a class"
        raise DatasetError(msg, "Name the folders as PlantVillage does, such as Tomato___Late_blight.")
    rgba = np.lib.format.open_memmap(directory / "rgba.npy", "w+", np.uint8, (len(items), SIDE, SIDE, 4))
    labels: list[int] = []
    digest = hashlib.sha256()
    for item in track(items, description=f"Preparing {source.name}"):
        digest.update(f"{item.path} {hashlib.sha256(item.content).hexdigest()}\n".encode())
        if (rgb := pixels(item, SIDE)) is None:
            continue
        mask = leaf_mask(rgb)
        rgba[len(labels), ..., :3] = rgb
        rgba[len(labels), ..., 3] = 0 if mask is None else mask
        labels.append(index_of(item.label))
    rgba.flush()
    (directory / "fingerprint.txt").write_text(digest.hexdigest())
    np.save(directory / "labels.npy", np.array(labels, np.int64))
    return Prepared.load(directory)


def pixels(item: Photograph, side: int) -> NDArray[np.uint8] | None:
    """A photograph's centre square, uint8 RGB [side, side, 3]; None, with a warning, where it can't be decoded."""
    try:
        return square(_decoded(item.content), side)
    except (ImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        logger.warning("%s is skipped: %s", item.path, error)
        return None


def _decoded(content: bytes) -> Image.Image:
    """Upright and in sRGB as at the edge; what is not accepted there, such as TIFF, as Pillow reads it."""
    try:
        return decode(content).image
    except (NotAnImageError, ImageTooLargeError):
        return Image.open(io.BytesIO(content)).convert("RGB")


def square(image: Image.Image, px: int) -> NDArray[np.uint8]:
    """The centre square as the worker sees it, uint8 RGB [px, px, 3]."""
    return np.asarray(centre_square(image, px), np.uint8)


def resized(data: Prepared, px: int) -> NDArray[np.uint8]:
    """All photographs of a split at another side, uint8 RGB [N, px, px, 3]."""
    return np.stack([square(Image.fromarray(rgba[..., :3]), px) for rgba in data.rgba])
