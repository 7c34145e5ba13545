"""Drift: how far what the cameras show now is from what the model was trained on."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

MODERATE: Final = 0.1
LARGE: Final = 0.25
_FLOOR: Final = 1e-4

Level = Literal["none", "moderate", "large", "too_few"]


class Stability(BaseModel):
    """Population stability index of one feature over one window."""

    model_config = ConfigDict(frozen=True)

    psi: float
    images: int
    noise: float
    """What the index stays below in 95 of 100 windows of this size when nothing drifts."""
    level: Level
    """`moderate` from 0.1, `large` from 0.25; `too_few`: in a window this small chance alone reaches 0.1."""


def stability(baseline: Sequence[float], counts: Sequence[float]) -> Stability:
    """Index of `counts` against the `baseline` shares of the same bins."""
    found = indices(baseline, np.asarray([counts], float))
    psi, images, noise = float(found.psi[0]), round(found.images[0]), float(found.noise[0])
    return Stability(psi=psi, images=images, noise=noise, level=_level(psi, noise))


class Indices(NamedTuple):
    """Of many windows: an array each."""

    psi: NDArray[np.float64]
    images: NDArray[np.float64]
    noise: NDArray[np.float64]


def indices(baseline: Sequence[float], counts: NDArray[np.float64]) -> Indices:
    """Index of each row of `counts` (windows x bins) against the `baseline` shares of the same bins.

    PSI = sum (actual - expected) ln(actual / expected); bands after Siddiqi 2006 (Credit Risk Scorecards). Without
    drift, images times PSI is about chi-square with bins - 1 degrees of freedom (Yurdakul & Naranjo 2020, Journal of
    Risk Model Validation 14:89, for a baseline much larger than the window). Empty bins get half a count.
    """
    from scipy import special  # noqa: PLC0415  takes a second

    bins = counts.shape[1]
    if bins != len(baseline):
        msg = f"{len(baseline)} shares against {bins} counts"
        raise ValueError(msg)
    images = counts.sum(axis=1)
    actual = (counts + 0.5) / (images + 0.5 * bins)[:, None]
    expected = np.maximum(np.asarray(baseline, float), _FLOOR)
    expected /= expected.sum()
    psi = ((actual - expected) * np.log(actual / expected)).sum(axis=1)
    return Indices(psi, images, float(special.chdtri(bins - 1, 0.05)) / np.maximum(images, 1))


def _level(psi: float, noise: float) -> Level:
    if noise >= MODERATE:
        return "too_few"
    return "none" if psi < MODERATE else "moderate" if psi < LARGE else "large"
