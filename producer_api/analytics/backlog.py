"""How many photographs were waiting or in work, on average, while each bucket lasted."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from producer_api.analytics.bucket import Counts
from producer_api.analytics.window import Window
from producer_api.uploads.backlog import Backlog
from schemas import counters

LONGEST: Final = timedelta(hours=24)
"""A photograph is seen in a bucket that it reaches within this time."""


def mean_backlog(window: Window, buckets: Sequence[Counts], now: float, unanswered: Backlog | None) -> list[float]:
    """Mean number in each bucket of the window; of the one in progress, in what has passed of it by `now` (Unix time).

    `buckets` are the window's and the earlier ones that lie within `LONGEST` before it. The sink counts the whole
    latency of an image where it arrived, but it was there in every bucket until its answer. So the images of a bucket
    are taken to have arrived evenly over it and to have stayed for its mean latency each; their time is charged to the
    buckets in which they spent it, and sums to the latencies exactly. Those without an answer (`unanswered`) are taken
    to have arrived evenly since the oldest did.
    """
    length = float(window.seconds)
    spent = np.zeros(len(buckets))
    for place, counts in enumerate(buckets):
        if images := counts[counters.IMAGES,]:
            shares = _spent(counts[counters.LATENCY_SUM,] / 1000 / images, length)[: len(spent) - place]
            spent[place : place + len(shares)] += images * shares
    end = window.end.timestamp()
    begins = end - length * np.arange(len(buckets), 0, -1)
    if unanswered is not None and unanswered.age_seconds > 0:
        since = now - unanswered.age_seconds
        reached = np.clip([begins, begins + length], since, now) - since
        spent += unanswered.lag / unanswered.age_seconds * (reached[1] ** 2 - reached[0] ** 2) / 2
    passed = np.clip(now - begins, 1, length)
    return [float(mean) for mean in (spent / passed)[-window.length :]]


def _spent(latency: float, length: float) -> NDArray[np.float64]:
    """Seconds that a photograph spends in its own bucket and in each one after, if it arrives evenly over its own."""
    buckets = int(latency // length) + 2
    boundaries = length * np.arange(-1, buckets + 1)
    # The integral of the time spent up to a boundary, over the moment of arrival.
    within = np.clip(boundaries, 0, latency)
    integral = within**2 / 2 + latency * np.maximum(boundaries - latency, 0)
    return np.asarray(np.diff(integral, 2) / length)
