"""Scoring a stored model on labelled photographs, as it is served."""

import os
from pathlib import Path

from schemas.card import CARD_FILE, ModelCard
from schemas.errors import ModelError
from stream_workers.engines import load_engine
from training.inference import serve
from training.metrics import metrics

MODELS = Path("models")


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


def evaluate(source: Path, directory: Path, engine: str = "openvino") -> dict[str, object]:
    """All figures of one model on a folder or zip of `<label>/*`; `bad_file_names` says what was left out and why."""
    card = ModelCard.load(directory)
    loaded = load_engine(engine, directory, card, threads=os.cpu_count() or 1)
    served = serve(source, loaded, card.preprocessing.px)
    return {**metrics(served, card.calibration), "bad_file_names": served.bad}
