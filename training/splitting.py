"""Making train, val and test folders out of a flat data set, leaf by leaf."""

import hashlib
import importlib
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from rich.progress import track

from training.classname import label_of
from training.dataset import DatasetError, Photograph, photographs, usable
from training.leafname import leaf_of

SHARES: Final = {"train": 0.8, "val": 0.1, "test": 0.1}
MAX_NAME_BYTES: Final = 200
TFDS_PREFIX: Final = "tfds:"


def split(source: str, destination: Path) -> Counter[str]:
    """Write `<split>/<label>/<file>` under `destination`; returns the photographs of each split.

    `source` is a folder or zip of `<class name>/*`, or `tfds:plant_village`. A leaf is in one split only, and always
    in the same, as it follows from a hash of label and leaf. What a killed split has left is made anew. Raises
    DatasetError.
    """
    unfinished = destination / ".unfinished"
    if destination.exists() and any(destination.iterdir()) and not unfinished.exists():
        msg = f"{destination} is not empty"
        raise DatasetError(msg, "Give a new folder.")
    destination.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    for name in SHARES:
        shutil.rmtree(destination / name, ignore_errors=True)
    written: Counter[str] = Counter()
    items = tensorflow_dataset(source.removeprefix(TFDS_PREFIX)) if source.startswith(TFDS_PREFIX) else None
    for item in usable(track(items or photographs(Path(source)), "Splitting by leaf")):
        path = PurePosixPath(item.path)
        label = str(item.label)
        chosen = split_of(label, leaf_of(path))
        target = destination / chosen / label / _file_name(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(item.content)
        written[chosen] += 1
    if not written:
        msg = f"{source} holds no photograph in a folder named by a class"
        raise DatasetError(msg, "Name the folders as PlantVillage does, such as Tomato___Late_blight.")
    unfinished.unlink()
    return written


def _file_name(path: PurePosixPath) -> str:
    """A hash of the whole path and the file's name, without its middle where that is too long for a file system."""
    unique = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = path.name.encode()
    if len(name) > MAX_NAME_BYTES:
        name = name[: MAX_NAME_BYTES // 2] + name[-MAX_NAME_BYTES // 2 :]
    return f"{unique}-{name.decode(errors='ignore')}"


def split_of(label: str, leaf: str) -> str:
    """The split a leaf belongs to."""
    number = int.from_bytes(hashlib.sha256(f"{label}/{leaf}".encode()).digest()[:8]) / 2**64
    if number < SHARES["train"]:
        return "train"
    return "val" if number < SHARES["train"] + SHARES["val"] else "test"


def tensorflow_dataset(name: str) -> Iterator[Photograph]:
    """Photographs of a TensorFlow data set with `image`, `image/filename` and `label`, as `plant_village` has."""
    try:
        tfds = importlib.import_module("tensorflow_datasets")
    except ImportError:
        msg = "tensorflow_datasets is not installed"
        raise DatasetError(msg, "Install it: pip install tensorflow-datasets") from None
    dataset, info = tfds.load(name, split="train", with_info=True, decoders={"image": tfds.decode.SkipDecoding()})
    classes = info.features["label"].names
    for row in tfds.as_numpy(dataset):
        folder = classes[int(row["label"])]
        yield Photograph(f"{folder}/{row['image/filename'].decode()}", label_of(folder), bytes(row["image"]))
