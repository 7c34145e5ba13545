"""The prepared data set: every image decoded once, with its leaf cut out, in memory-mapped arrays."""

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from schemas.errors import ImageError, ImageTooLargeError, NotAnImageError
from schemas.normalisation import decode
from stream_workers.decoding import centre_square
from training.classname import label_of
from training.cutouts import leaf_mask
from training.dataset import DatasetError, Photograph, index_of, photographs, usable
from training.dataset import count as count_files
from training.layout import Box, Collection, leaf_boxes

logger = logging.getLogger(__name__)

SIDE: Final = 192
"""Pixels; the side of the stored squares, to which the whole image is squashed."""
PLAIN_BACKGROUNDS: Final = frozenset({"black_bg", "red_bg", "white_bg", "white_background", "board", "plain"})
"""Backgrounds of field photographs, as manifests call them, from which a leaf can be cut out."""
BOX_MARGIN: Final = 0.15
"""What is kept around a leaf box, as a share of its sides."""
SMALLEST_BOX: Final = 48
"""Pixels of a box's shorter side below which it shows too little."""


@dataclass(frozen=True)
class Prepared:
    """One split of N images, of all collections; crops of single leaves count as images of their own."""

    rgba: NDArray[np.uint8]
    """[N, SIDE, SIDE, 4]; alpha is 0 everywhere where no leaf was cut out."""
    labels: NDArray[np.int64]
    """[N]; see `training.dataset.index_of`."""
    aspect: NDArray[np.float32]
    """[N], width over height before it was squashed."""
    source: NDArray[np.int64]
    """[N], position in `sources`."""
    field: NDArray[np.bool_]
    """[N], whether it is a field photograph rather than a leaf on a desk."""
    boxed: NDArray[np.bool_]
    """[N], whether it is a crop of one leaf."""
    sources: tuple[str, ...]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.labels)

    @staticmethod
    def there(directory: Path) -> bool:
        """Whether `prepare` has come to its end."""
        return (directory / "about.json").exists()

    @classmethod
    def load(cls, directory: Path) -> "Prepared":
        """Open what `prepare` wrote. Raises DatasetError where it has not, or was stopped before its end."""
        if not cls.there(directory):
            msg = f"there are no prepared photographs in {directory}"
            raise DatasetError(msg, "Make them with `python -m training prepare`.")
        about = json.loads((directory / "about.json").read_text())
        with np.load(directory / "rows.npz") as rows:
            columns = {name: rows[name] for name in rows.files}
        rgba = np.load(directory / "rgba.npy", mmap_mode="r")[: len(columns["labels"])]
        return cls(rgba=rgba, **columns, sources=tuple(about["sources"]), fingerprint=about["fingerprint"])

    def chosen(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Prepared":
        """Some of the images, by position or mask."""
        arrays: dict[str, Any] = {
            name: value[rows] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, **arrays)

    def of_sources(self, *names: str) -> NDArray[np.bool_]:
        """[N], which images come from these sources. Raises DatasetError for one that does not occur."""
        if unknown := set(names) - set(self.sources):
            msg = f"there is no source {', '.join(sorted(unknown))}"
            raise DatasetError(msg, f"There is {', '.join(self.sources)}.")
        return np.isin(self.source, [self.sources.index(name) for name in names])


class _Row(NamedTuple):
    image: Image.Image
    label: str
    source: str
    field: bool
    boxed: bool
    cut: bool


def prepare(collections: list[Collection], split: str, directory: Path) -> Prepared:
    """Decode and cut out every image of one split; what can't be decoded is skipped with a warning.

    Leaf boxes give crops beside whole images, in train only. `about.json` is written last. Raises DatasetError where
    there is no image.
    """
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "about.json").unlink(missing_ok=True)
    digest = hashlib.sha256()
    boxes = leaf_boxes(collections) if split == "train" else {}
    count = sum(count_files(one.splits()[split]) for one in collections if split in one.splits())
    count += sum(map(len, boxes.values()))
    rgba = np.lib.format.open_memmap(directory / "rgba.npy", "w+", np.uint8, (count, SIDE, SIDE, 4))
    kept: list[tuple[int, float, str, bool, bool]] = []
    for row in track(_rows(collections, split, boxes, digest), description=f"Preparing {split}", total=count):
        rgb = np.asarray(row.image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0))
        mask = leaf_mask(rgb) if row.cut else None
        rgba[len(kept), ..., :3] = rgb
        rgba[len(kept), ..., 3] = 0 if mask is None else mask
        kept.append((index_of(row.label), row.image.width / row.image.height, row.source, row.field, row.boxed))
    if not kept:
        msg = f"{collections[0].folder} holds no photograph of {split} in a folder named by a class"
        raise DatasetError(msg, "Name the folders as PlantVillage does, such as Tomato___Late_blight.")
    rgba.flush()
    labels, aspects, origins, field, boxed = zip(*kept, strict=True)
    sources = sorted(set(origins))
    np.savez(
        directory / "rows.npz",
        labels=np.array(labels, np.int64),
        aspect=np.array(aspects, np.float32),
        source=np.array([sources.index(origin) for origin in origins], np.int64),
        field=np.array(field),
        boxed=np.array(boxed),
    )
    about = {"sources": sources, "fingerprint": digest.hexdigest()}
    (directory / "about.json").write_text(json.dumps(about))
    return Prepared.load(directory)


def _items(collections: list[Collection], split: str) -> Iterator[tuple[Collection, Photograph]]:
    for one in collections:
        if split in one.splits():
            yield from ((one, item) for item in usable(photographs(one.splits()[split])))


def _rows(
    collections: list[Collection], split: str, boxes: dict[str, list[Box]], digest: "hashlib._Hash"
) -> Iterator[_Row]:
    origins = {one.name: one.origins(split) for one in collections}
    for one, item in _items(collections, split):
        digest.update(f"{item.path} {hashlib.sha256(item.content).hexdigest()}\n".encode())
        if (image := picture(item)) is None:
            continue
        source, background = origins[one.name].get(item.path, (one.name, ""))
        cut = one.lab or background in PLAIN_BACKGROUNDS
        yield _Row(image, str(item.label), source, not one.lab, boxed=False, cut=cut)
        for name, *box in boxes.get(item.path, ()):
            crop = _crop(image, *box)
            if crop and (label := label_of(name)):
                yield _Row(crop, label, source, field=True, boxed=True, cut=False)


def _crop(image: Image.Image, x: float, y: float, width: float, height: float) -> Image.Image | None:
    """One leaf with some margin; None where it is too small, or the whole image anyway."""
    if min(width * image.width, height * image.height) < SMALLEST_BOX or width * height > 0.8:
        return None
    across, down = width * (0.5 + BOX_MARGIN), height * (0.5 + BOX_MARGIN)
    left, top, right, bottom = max(0, x - across), max(0, y - down), min(1, x + across), min(1, y + down)
    return image.crop(
        (round(left * image.width), round(top * image.height), round(right * image.width), round(bottom * image.height))
    )


def picture(item: Photograph) -> Image.Image | None:
    """A photograph, decoded; None, with a warning, where it can't be."""
    try:
        return _decoded(item.content)
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
    """The centre squares of all images of a split, uint8 RGB [N, px, px, 3]."""
    return np.stack([square(unsquashed(data, row), px) for row in range(len(data))])


def unsquashed(data: Prepared, row: int) -> Image.Image:
    """One image in its own shape; its shorter side is as long as it is stored."""
    aspect = float(data.aspect[row])
    size = (round(SIDE * max(1.0, aspect)), round(SIDE * max(1.0, 1 / aspect)))
    return Image.fromarray(data.rgba[row, ..., :3]).resize(size, Image.Resampling.BILINEAR)
