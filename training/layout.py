"""Where the collections and splits of a data set are."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.dataset import DatasetError

SPLITS: Final = ("train", "val", "test", "field")
Box = tuple[str, float, float, float, float]
"""Class of a leaf, and its x centre, y centre, width and height, as shares of the image's sides."""
LAB: Final = "lab"
"""The collection in the data set's own folder: single leaves on a desk. Those in subfolders are field photographs."""


@dataclass(frozen=True)
class Collection:
    """Images that belong together: a folder with `train`, `val` and `test`, each a zip or a folder of `<label>/*`.

    It may hold `manifest.csv` (split, path, source, background) and `boxes.json` (path -> leaf boxes).
    """

    name: str
    folder: Path

    @property
    def lab(self) -> bool:
        """Whether it shows leaves on a desk rather than in a field."""
        return self.name == LAB

    def splits(self) -> dict[str, Path]:
        """Split name -> its zip or folder, as they stand."""
        candidates = ((split, self.folder / name) for split in SPLITS for name in (f"{split}.zip", split))
        return {split: path for split, path in candidates if path.exists()}

    def origins(self, split: str) -> dict[str, tuple[str, str]]:
        """Path in the split -> (source, background), as the manifest says; empty without one."""
        manifest = self.folder / "manifest.csv"
        if not manifest.exists():
            return {}
        with manifest.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["split"] == split]
        return {row["path"]: (row["source"], row.get("background") or "") for row in rows}


def collections(leaves: Path) -> list[Collection]:
    """The lab's collection and those of the field. Raises DatasetError where the lab's train or val is missing."""
    lab = Collection(LAB, leaves)
    if not {"train", "val"} <= lab.splits().keys():
        msg = f"{leaves} has no train and val, neither as zips nor as folders"
        raise DatasetError(msg, "Make them by leaf with `python -m training split SOURCE DESTINATION`.")
    others = (Collection(path.name, path) for path in sorted(leaves.iterdir()) if path.is_dir())
    return [lab, *(one for one in others if one.name not in SPLITS and "train" in one.splits())]


def leaf_boxes(collections: list[Collection]) -> dict[str, list[Box]]:
    """Path of an image -> the boxes of its leaves."""
    found: dict[str, list[Box]] = {}
    for one in collections:
        path = one.folder / "boxes.json"
        if path.exists():
            found.update({name: [tuple(box) for box in boxes] for name, boxes in json.loads(path.read_bytes()).items()})
    return found
