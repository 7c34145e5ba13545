"""Drift: photographs and answers of late against what the model cards remember of training."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ValidationError

from producer_api.analytics.counts import CounterStore, Counts
from producer_api.analytics.stability import Stability, stability
from producer_api.analytics.window import Window
from schemas import counters
from schemas.card import CARD_FILE, Histogram, ModelCard
from schemas.experiment import Experiment
from schemas.labels import LABELS

log = logging.getLogger(__name__)

PHOTOGRAPH: Final = (counters.BRIGHTNESS, counters.CONTRAST, counters.RED, counters.GREEN, counters.BLUE)
"""Features of the photograph itself: the same whichever arm answers."""


class Baselines(BaseModel):
    """What one model card remembers of its training photographs."""

    model: str
    histograms: Mapping[str, Histogram]
    labels: Mapping[str, float]


class FeatureDrift(Stability):
    """One feature of one scope."""

    feature: str
    arm: str | None = None
    """Whose answers; null: all photographs."""
    model: str
    """`name@version` of the card it is held against."""


class Drift(BaseModel):
    """Body of GET /analytics/drift."""

    window: Window
    camera: str | None
    features: list[FeatureDrift]


def baselines_of(models: Path, model: str, version: str) -> Baselines | None:
    """From the card; None where there is none, or none was measured."""
    try:
        card = ModelCard.model_validate_json((models / model / version / CARD_FILE).read_bytes())
    except (OSError, ValidationError) as error:
        log.warning("no drift against %s@%s: %s", model, version, error)
        return None
    return Baselines(model=card.id, histograms=card.drift_baselines, labels=card.class_shares)


def drift(
    store: CounterStore, experiment: Experiment, models: Path, window: Window, camera: str | None = None
) -> Drift:
    """Photographs against the first arm's card, each arm's answers against its own. Raises StoreUnavailableError."""
    everything = counters.ALL if camera is None else counters.camera_scope(camera)
    running = experiment.status == "running"
    arms = experiment.arms if running else experiment.arms[:1]
    name, version = (experiment.name, experiment.version) if running else (None, None)
    scopes = {arm.name: counters.arm_scope(name, version, arm.name, camera) for arm in arms}
    summed = store.sum(window, [everything, *scopes.values()])
    found: list[FeatureDrift] = []
    for arm in arms:
        baselines = baselines_of(models, arm.model, arm.version)
        if baselines is None:
            continue
        if arm is arms[0]:
            found += drifts(summed[everything], baselines, PHOTOGRAPH)
        found += drifts(summed[scopes[arm.name]], baselines, (counters.CONFIDENCE, counters.LABEL), arm.name)
    return Drift(window=window, camera=camera, features=found)


def drifts(
    counts: Counts, baselines: Baselines, features: Sequence[str] = PHOTOGRAPH, arm: str | None = None
) -> list[FeatureDrift]:
    """Those of the features that the card has a baseline for."""
    found = []
    for feature in features:
        if feature == counters.LABEL:
            expected = [baselines.labels.get(label, 0.0) for label in LABELS]
            actual: list[float] = [counts[counters.LABEL, label] for label in LABELS]
        elif histogram := baselines.histograms.get(feature):
            expected, actual = histogram.shares, rebinned(counts, feature, histogram)
        else:
            continue
        if any(expected):
            judged = stability(expected, actual)
            found.append(FeatureDrift(**judged.model_dump(), feature=feature, arm=arm, model=baselines.model))
    return found


def rebinned(counts: Counts, feature: str, baseline: Histogram) -> list[float]:
    """Counts in the baseline's bins: the same numbers where these are the counters' own, else spread evenly.

    Outside its edges a baseline's outer bins go on, as the counters' do.
    """
    edges = np.asarray(counters.EDGES[feature])
    below = np.concatenate([[0], np.cumsum(counters.bins(counts, feature))])
    at = np.interp(baseline.edges, edges, below)
    at[0], at[-1] = 0, below[-1]
    return [float(number) for number in np.diff(at)]
