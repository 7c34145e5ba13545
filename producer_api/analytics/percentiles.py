"""Percentiles of a histogram: p50, p95, p99 of latencies that were only counted, not kept."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def percentile(edges: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Value below which `share` of the observations lie; None where there are none.

    `edges` are the buckets' upper bounds, rising; `counts` has one more, for what lies above the last. Within a bucket
    the logarithm is interpolated, as Prometheus does for exponential buckets; in the first one, which begins at 0, the
    value itself. What lies above the last edge is told as the last edge. The error is at most the bucket's width.
    """
    found = float(percentiles(edges, np.asarray([counts], float), share)[0])
    return None if math.isnan(found) else found


def percentiles(edges: Sequence[float], counts: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The same of many histograms, a row of `counts` each; NaN where there are no observations."""
    if counts.shape[1] != len(edges) + 1:
        msg = f"{len(edges)} edges need {len(edges) + 1} counts, not {counts.shape[1]}"
        raise ValueError(msg)
    rows = np.arange(len(counts))
    below = np.cumsum(counts, axis=1)
    rank = share * below[:, -1]
    place = ((counts > 0) & (below >= rank[:, None])).argmax(axis=1)
    within = np.minimum(place, len(edges) - 1)
    high = np.asarray(edges, float)[within]
    low = np.where(within > 0, np.asarray(edges, float)[within - 1], 0.0)
    inside = np.maximum(counts[rows, place], 1)
    part = (rank - below[rows, place] + inside) / inside
    value = np.where(low > 0, low * (high / np.where(low > 0, low, 1)) ** part, part * high)
    return np.where(below[:, -1] > 0, np.where(place < len(edges), value, edges[-1]), np.nan)
