"""Drift: photographs and answers of late against what the model cards remember of training."""

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from producer_api.analytics.bucket import Counts
from producer_api.analytics.counts import CounterStore
from producer_api.analytics.stability import MODERATE, Stability, indices, stability
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
    card = models / model / version / CARD_FILE
    try:
        return _baselines(card, card.stat().st_mtime_ns)
    except (OSError, ValidationError) as error:
        log.warning("no drift against %s@%s: %s", model, version, error)
        return None


@lru_cache(maxsize=64)
def _baselines(card: Path, _modified_ns: int) -> Baselines:
    found = ModelCard.model_validate_json(card.read_bytes())
    return Baselines(model=found.id, histograms=found.drift_baselines, labels=found.class_shares)


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
        if compared := _compared([counts], baselines, feature):
            judged = stability(compared[0], compared[1][0].tolist())
            found.append(FeatureDrift(**judged.model_dump(), feature=feature, arm=arm, model=baselines.model))
    return found


def drift_lines(buckets: Sequence[Counts], baselines: Baselines) -> dict[str, list[float | None]]:
    """Index of each feature of the photograph, bucket by bucket; None where chance alone could reach a level."""
    lines: dict[str, list[float | None]] = {}
    for feature in PHOTOGRAPH:
        if compared := _compared(buckets, baselines, feature):
            found = indices(*compared)
            lines[feature] = [
                psi if noise < MODERATE else None for psi, noise in zip(found.psi.tolist(), found.noise, strict=True)
            ]
    return lines


def _compared(
    windows: Sequence[Counts], baselines: Baselines, feature: str
) -> tuple[list[float], NDArray[np.float64]] | None:
    if feature == counters.LABEL:
        expected = [baselines.labels.get(label, 0.0) for label in LABELS]
        actual = np.array([[counts[counters.LABEL, label] for label in LABELS] for counts in windows], float)
    elif histogram := baselines.histograms.get(feature):
        expected, actual = comparable(windows, feature, histogram)
    else:
        return None
    return (expected, actual) if any(expected) and len(expected) > 1 else None


def comparable(windows: Sequence[Counts], feature: str, baseline: Histogram) -> tuple[list[float], NDArray[np.float64]]:
    """Baseline shares, and counts (windows x bins), in bins that both know.

    These are the baseline's, each edge moved to the counters' nearest: what fell in one bin of the counters can't be
    told apart any more, and baselines are finer where photographs are many (nine tenths of a good model's confidences
    are above 0.95, one bin). So counts stay whole, and it is the baseline that is interpolated, not in its wide outer
    bins if it can be helped. Outside its edges these go on, as the counters' do.
    """
    inner, expected = _shared_bins(feature, tuple(baseline.edges), tuple(baseline.shares))
    counted = np.cumsum([counters.bins(counts, feature) for counts in windows], axis=1, dtype=float)
    below = np.hstack([np.zeros((len(windows), 1)), counted[:, inner - 1], counted[:, -1:]])
    return list(expected), np.diff(below, axis=1)


@lru_cache(maxsize=256)
def _shared_bins(
    feature: str, edges: tuple[float, ...], shares: tuple[float, ...]
) -> tuple[NDArray[np.int64], tuple[float, ...]]:
    """Which of the counters' inner edges are shared, and the baseline's share of each bin between them."""
    own, asked = np.asarray(counters.EDGES[feature]), np.asarray(edges)[1:-1]
    known = np.arange(1, len(own) - 1)
    within = known[(own[known] >= asked.min(initial=np.inf)) & (own[known] <= asked.max(initial=-np.inf))]
    known = within if len(within) else known
    inner = known[np.unique(np.abs(own[known, None] - asked).argmin(axis=0))]
    share_below = np.interp(own[inner], edges, np.concatenate([[0], np.cumsum(shares)]))
    return inner, tuple(np.diff([0, *share_below, sum(shares)]).tolist())
