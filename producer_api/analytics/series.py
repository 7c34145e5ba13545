"""How a number went over time, bucket by bucket."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, get_args

import numpy as np
from pydantic import AwareDatetime, BaseModel

from producer_api.admin import anonymous
from producer_api.analytics.arms import accuracy
from producer_api.analytics.backlog import LONGEST, mean_backlog
from producer_api.analytics.bucket import Counts
from producer_api.analytics.counts import CounterStore
from producer_api.analytics.drift import Baselines, drift_lines
from producer_api.analytics.percentiles import percentiles
from producer_api.analytics.window import Window
from producer_api.errors import RequestError
from producer_api.uploads.backlog import Backlog
from schemas import counters
from schemas.labels import NOT_TOMATO_LEAF, OUTPUTS
from schemas.prediction import Verdict
from schemas.result import from_ms

Metric = Literal["images", "failed", "latency", "backlog", "label", "verdict", "accuracy", "drift", "unauthenticated"]
By = Literal["all", "arm", "camera"]
Lines = Mapping[str, Sequence[float | None]]
"""Part of the metric to its value in each bucket."""

EARLIEST: Final = datetime.min.replace(tzinfo=UTC) + LONGEST
MOST: Final = 30
"""Arms or cameras told apart; of cameras those that were heard of last."""
MOST_BUCKETS: Final = 6000
"""Buckets of all of them together: over a long range fewer are told apart."""


class Line(BaseModel):
    """One line: a value for each bucket, null where there is none."""

    name: str
    values: list[float | None]


class Series(BaseModel):
    """Body of GET /analytics/series."""

    metric: Metric
    unit: str
    window: Window
    times: list[AwareDatetime]
    """Begin of each bucket."""
    lines: list[Line]
    omitted: int = 0
    """Arms, or cameras, that are not among the lines: too many for a range of this length."""


UNITS: Final[dict[Metric, str]] = {
    "images": "photographs",
    "failed": "photographs",
    "latency": "ms",
    "backlog": "photographs waiting or in work",
    "label": "photographs",
    "verdict": "photographs",
    "accuracy": "share of those with feedback",
    "drift": "population stability index",
    "unauthenticated": "photographs under the name of a camera that did not authenticate",
}


def series(
    store: CounterStore,
    metric: Metric,
    by: By,
    window: Window,
    baselines: Baselines | None = None,
    unanswered: Backlog | None = None,
    *,
    named: bool = True,
) -> Series:
    """Read and compute; `baselines` for drift, `unanswered` for the backlog; cameras are numbered unless `named`.

    Raises StoreUnavailableError.
    """
    scopes, omitted = _scopes(store, by, window, named=named)
    now = time.time()
    read = window
    if metric == "backlog":
        read = Window(**{"from": max(window.begin, EARLIEST) - LONGEST, "to": window.end, "step": window.step})
    lines: list[Line] = []
    for name, buckets in store.each(read, scopes).items():
        if metric == "backlog":
            found: Lines = {"": mean_backlog(window, buckets, now, unanswered if by == "all" else None)}
        elif metric == "drift":
            found = drift_lines(buckets, baselines) if baselines else {}
        else:
            found = METRICS[metric](buckets)
        for part, values in found.items():
            label = " ".join(filter(None, (scopes[name], part))) or metric
            lines.append(Line(name=label, values=list(values)))
    times = [from_ms(start) for start in window.buckets()]
    return Series(metric=metric, unit=UNITS[metric], window=window, times=times, lines=lines, omitted=omitted)


def _scopes(store: CounterStore, by: By, window: Window, *, named: bool) -> tuple[dict[str, str], int]:
    """Counter scope to what a line of it is called, and how many were left out."""
    if by == "all":
        return {counters.ALL: ""}, 0
    most = min(MOST, MOST_BUCKETS // window.length)
    if by == "camera":
        if window.step == "minute":
            msg = "cameras are counted by the hour only"
            raise RequestError(msg, "Ask with step=hour.")
        cameras = store.cameras(window.begin, MOST)
        shown = cameras[:most]
        names = shown if named else anonymous(shown)
        lines = {counters.camera_scope(camera): name for camera, name in zip(shown, names, strict=True)}
        return lines, len(cameras) - len(shown)
    total = store.sum(window, [counters.ALL])[counters.ALL]
    arms = sorted((field for field in total if field[0] == counters.ARM), key=lambda field: -total[field])
    return {":".join(field): f"{field[1]}@{field[2]} {field[3]}" for field in arms[:most]}, max(0, len(arms) - most)


def _latency(buckets: Sequence[Counts]) -> Lines:
    edges = counters.EDGES[counters.LATENCY]
    counted = np.array([[*counters.bins(counts, counters.LATENCY), 0] for counts in buckets], float)
    return {
        name: [None if math.isnan(value) else value for value in percentiles(edges[1:], counted, share).tolist()]
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def _accuracy(buckets: Sequence[Counts]) -> Lines:
    found = [accuracy(counts) for counts in buckets]
    return {"": [right / of if of else None for right, of in found]}


def _number(field: str) -> Callable[[Sequence[Counts]], Lines]:
    return lambda buckets: {"": [counts[field,] for counts in buckets]}


def _mix(field: str, *names: str) -> Callable[[Sequence[Counts]], Lines]:
    return lambda buckets: {name: [counts[field, name] for counts in buckets] for name in names}


METRICS: Final[Mapping[str, Callable[[Sequence[Counts]], Lines]]] = {
    "images": _number(counters.IMAGES),
    "failed": _number(counters.FAILED),
    "latency": _latency,
    "label": _mix(counters.LABEL, *OUTPUTS, NOT_TOMATO_LEAF),
    "verdict": _mix(counters.VERDICT, *get_args(Verdict)),
    "accuracy": _accuracy,
    "unauthenticated": _number(counters.UNAUTHENTICATED),
}
