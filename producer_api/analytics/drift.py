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
            expected, actual = comparable(counts, feature, histogram)
        else:
            continue
        if any(expected) and len(expected) > 1:
            judged = stability(expected, actual)
            found.append(FeatureDrift(**judged.model_dump(), feature=feature, arm=arm, model=baselines.model))
    return found


def comparable(counts: Counts, feature: str, baseline: Histogram) -> tuple[list[float], list[float]]:
    """Baseline shares and counts in bins that both know: the baseline's edges, each moved to the counters' nearest.

    What fell in one bin of the counters can't be told apart any more, and baselines are finer where photographs are
    many (nine tenths of a good model's confidences are above 0.95, one bin): so counts stay whole, and it is the
    baseline that is interpolated, not in its wide outer bins if it can be helped. Outside its edges these go on, as the
    counters' do.
    """
    own, asked = np.asarray(counters.EDGES[feature]), np.asarray(baseline.edges)[1:-1]
    known = np.arange(1, len(own) - 1)
    within = known[(own[known] >= asked.min(initial=np.inf)) & (own[known] <= asked.max(initial=-np.inf))]
    known = within if len(within) else known
    inner = known[np.unique(np.abs(own[known, None] - asked).argmin(axis=0))]
    counted = np.concatenate([[0], np.cumsum(counters.bins(counts, feature))])
    share_below = np.interp(own[inner], baseline.edges, np.concatenate([[0], np.cumsum(baseline.shares)]))
    expected = np.diff([0, *share_below, sum(baseline.shares)])
    actual = np.diff([0, *counted[inner], counted[-1]])
    return [float(share) for share in expected], [float(number) for number in actual]
