"""Scoring a stored model on labelled photographs, as it is served."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from schemas.card import CARD_FILE, Calibration, ModelCard
from schemas.errors import LeafError, ModelError
from schemas.labels import LABELS
from stream_workers.engines import load_engine
from training.dataset import DatasetError
from training.inference import Served, serve
from training.metrics import metrics

MODELS = Path("models")
UNKNOWN: Final = "unknown"
"""Source of an image that a manifest does not name."""


def find_model(reference: str, models: Path = MODELS) -> Path:
    """Directory of `name` (its newest version) or `name@version`. Raises ModelError where there is none."""
    name, _, version = reference.partition("@")
    versions = [path.parent.name for path in models.glob(f"*/*/{CARD_FILE}") if path.parent.parent.name == name]
    if not versions or (version and version not in versions):
        there = sorted(f"{path.parent.parent.name}@{path.parent.name}" for path in models.glob(f"*/*/{CARD_FILE}"))
        msg = f"there is no model {reference} in {models}"
        raise ModelError(msg, f"There is {', '.join(there) or 'none: train and export one'}.")
    return models / name / (version or max(versions, key=version_key))


def version_key(version: str) -> list[tuple[int, str]]:
    """Sorts 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.split(".")]


def evaluate(
    sources: Sequence[Path], directory: Path, engine: str = "openvino", origins: Mapping[str, str] | None = None
) -> dict[str, object]:
    """All figures of one model on folders or zips of `<label>/*`; `bad_file_names` says what was skipped and why.

    With `origins`, path -> source, `by_source` has the same figures for each source. Raises LeafError where no image
    is of one of the ten labels.
    """
    card = ModelCard.load(directory)
    loaded = load_engine(engine, directory, card, threads=os.cpu_count() or 1)
    served = Served.joined([serve(source, loaded, card.preprocessing.px) for source in sources])
    if not served.known.any():
        msg = f"no image of {', '.join(map(str, sources))} is of one of the ten labels"
        raise LeafError(msg, f"The labels are {', '.join(LABELS)}.")
    figures = {**metrics(served, card.calibration), "bad_file_names": served.bad}
    return figures if origins is None else {**figures, "by_source": by_source(served, card.calibration, origins)}


def by_source(served: Served, calibration: Calibration, origins: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """The figures of each source; images that the manifest does not name are of source `unknown`."""
    sources = np.array([origins.get(path, UNKNOWN) for path in served.paths])
    return {str(name): metrics(served.chosen(sources == name), calibration) for name in np.unique(sources)}


def read_origins(manifest: Path) -> dict[str, str]:
    """Path -> source, from a CSV file with the columns `path` and `source`. Raises DatasetError for anything else."""
    try:
        with manifest.open(newline="") as file:
            return {row["path"]: row["source"] for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{manifest} is no manifest: {error if isinstance(error, OSError) else 'it lacks path or source'}"
        raise DatasetError(msg, "Give a CSV file with the columns path (<label>/<file>) and source.") from None
