"""Percentiles of a histogram: p50, p95, p99 of latencies that were only counted, not kept."""

import math
from collections.abc import Sequence


def percentile(edges: Sequence[float], counts: Sequence[int], share: float) -> float | None:
    """Value below which `share` of the observations lie; None where there are none.

    `edges` are the buckets' upper bounds, rising; `counts` has one more, for what lies above the last. Within a bucket
    the logarithm is interpolated, as Prometheus does for exponential buckets; in the first one, which begins at 0, the
    value itself. What lies above the last edge is told as the last edge. The error is at most the bucket's width.
    """
    if len(counts) != len(edges) + 1:
        msg = f"{len(edges)} edges need {len(edges) + 1} counts, not {len(counts)}"
        raise ValueError(msg)
    rank, below = share * sum(counts), 0
    if not any(counts):
        return None
    for index, (edge, count) in enumerate(zip(edges, counts, strict=False)):
        if count and below + count >= rank:
            part = (rank - below) / count
            low = edges[index - 1] if index else 0.0
            return low * math.exp(part * math.log(edge / low)) if low > 0 else part * edge
        below += count
    return float(edges[-1])
