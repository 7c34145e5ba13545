"""A model's outputs for photographs, decoded exactly as edge and worker do."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from schemas.errors import ImageError
from schemas.labels import LABELS
from schemas.normalisation import normalise
from stream_workers.decoding import Decoded, decode
from stream_workers.engines import Engine, Outputs
from training.dataset import NEGATIVE, DatasetError, Photograph, count, index_of, photographs


@dataclass
class Served:
    """What a model said of N photographs."""

    outputs: Outputs
    labels: NDArray[np.int64]
    """[N]; see `training.dataset.index_of`."""
    paths: list[str]
    features: list[Any]
    """The drift features of each."""
    bad: dict[str, str] = field(default_factory=dict)
    """Path -> why it could not be judged."""

    @property
    def tomato(self) -> NDArray[np.bool_]:
        """[N], which images show a tomato leaf."""
        return np.asarray(self.labels != NEGATIVE)

    @property
    def known(self) -> NDArray[np.bool_]:
        """[N], which images show one of the ten labels."""
        return np.asarray(self.labels >= 0)

    def chosen(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> "Served":
        """Some of the images, by position or mask."""
        positions = np.arange(len(self.labels))[rows]
        return Served(
            Outputs(*(array[positions] for array in self.outputs)),
            self.labels[positions],
            [self.paths[position] for position in positions],
            [self.features[position] for position in positions],
        )

    @staticmethod
    def joined(parts: "Sequence[Served]") -> "Served":
        """Several as one."""
        return Served(
            Outputs(*(np.concatenate(arrays) for arrays in zip(*(part.outputs for part in parts), strict=True))),
            np.concatenate([part.labels for part in parts]),
            [path for part in parts for path in part.paths],
            [features for part in parts for features in part.features],
            {name: reason for part in parts for name, reason in part.bad.items()},
        )


def serve(source: Path, engine: Engine, px: int, *, every: int = 1) -> Served:
    """Judge each photograph of a folder or zip (or every n-th). Raises DatasetError where none could be read."""
    bad: dict[str, str] = {}
    paths: list[str] = []
    labels: list[int] = []
    features: list[Any] = []
    outputs: list[Outputs] = []
    items = track(
        photographs(source), f"Judging {source.name}", total=count(source), console=Console(stderr=True), transient=True
    )
    chosen = (item for index, item in enumerate(items) if index % every == 0)
    decoded_items = _decoded(chosen, px, bad)
    while batch := list(islice(decoded_items, engine.ceiling)):
        pixels = np.stack([decoded.pixels for _, decoded in batch])
        outputs.append(engine.infer(pixels, [decoded.larger for _, decoded in batch]))
        paths += [item.path for item, _ in batch]
        labels += [index_of(item.label) for item, _ in batch]
        features += [decoded.features for _, decoded in batch]
    if not outputs:
        first = "; ".join(f"{path}: {reason}" for path, reason in islice(bad.items(), 3))
        msg = f"{source} holds no photograph that can be judged ({len(bad)} bad files{first and f', such as {first}'})"
        raise DatasetError(msg, f"Give a folder or zip of <label>/<photograph>; the labels are {', '.join(LABELS)}.")
    joined = Outputs(*(np.concatenate(arrays) for arrays in zip(*outputs, strict=True)))
    return Served(joined, np.array(labels, np.int64), paths, features, bad)


def _decoded(items: Iterable[Photograph], px: int, bad: dict[str, str]) -> Iterator[tuple[Photograph, Decoded]]:
    for item in items:
        if item.problem or item.label is None:
            bad[item.path] = item.problem or "its folder's name is no label"
            continue
        try:
            yield item, decode(normalise(item.content).jpeg, px)
        except ImageError as error:
            bad[item.path] = str(error)


def pixels(source: Path, wanted: set[str], px: int) -> dict[str, NDArray[np.uint8]]:
    """The network's input for some photographs, by path; uint8 RGB [px, px, 3]."""
    return {
        item.path: decode(normalise(item.content).jpeg, px).pixels
        for item in photographs(source)
        if item.path in wanted
    }
