"""Where the splits of a data set are."""

from pathlib import Path

from training.dataset import DatasetError

SPLITS = ("train", "val", "test", "field")


def splits(leaves: Path) -> dict[str, Path]:
    """Split name -> its zip or folder, as they stand. Raises DatasetError where `train` or `val` is missing."""
    found = {split: path for split in SPLITS for path in (leaves / f"{split}.zip", leaves / split) if path.exists()}
    if not {"train", "val"} <= found.keys():
        msg = f"{leaves} has no train and val, neither as zips nor as folders"
        raise DatasetError(msg, "Make them by leaf with `python -m training split SOURCE DESTINATION`.")
    return found
