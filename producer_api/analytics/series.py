"""How a number went over time, bucket by bucket."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel

from producer_api.admin import anonymous
from producer_api.analytics.arms import accuracy, latency
from producer_api.analytics.counts import CounterStore, Counts
from producer_api.analytics.drift import Baselines, drifts
from producer_api.analytics.window import Window
from producer_api.errors import RequestError
from schemas import counters
from schemas.labels import LABELS, NOT_TOMATO_LEAF
from schemas.result import from_ms

Metric = Literal["images", "failed", "latency", "backlog", "label", "verdict", "accuracy", "drift", "unauthenticated"]
By = Literal["all", "arm", "camera"]
Values = Mapping[str, float | None]

MOST: Final = 30
"""Arms or cameras told apart; of cameras those that were heard of last."""


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
    store: CounterStore, metric: Metric, by: By, window: Window, baselines: Baselines | None, *, named: bool = True
) -> Series:
    """Read and compute; cameras are numbered unless `named`. Raises StoreUnavailableError."""
    value = _drift(baselines) if metric == "drift" else VALUES[metric]
    scopes = _scopes(store, by, window, named=named)
    lines: list[Line] = []
    for name, buckets in store.each(window, scopes).items():
        values = [value(counts, window.seconds) for counts in buckets]
        for part in dict.fromkeys(part for found in values for part in found):
            label = " ".join(filter(None, (scopes[name], part))) or metric
            lines.append(Line(name=label, values=[found.get(part) for found in values]))
    times = [from_ms(start) for start in window.buckets()]
    return Series(metric=metric, unit=UNITS[metric], window=window, times=times, lines=lines)


def _scopes(store: CounterStore, by: By, window: Window, *, named: bool) -> dict[str, str]:
    """Counter scope to what a line of it is called."""
    if by == "all":
        return {counters.ALL: ""}
    if by == "camera":
        if window.step == "minute":
            msg = "cameras are counted by the hour only"
            raise RequestError(msg, "Ask with step=hour.")
        cameras = store.cameras(window.begin, MOST)
        names = cameras if named else anonymous(cameras)
        return {counters.camera_scope(camera): name for camera, name in zip(cameras, names, strict=True)}
    total = store.sum(window, [counters.ALL])[counters.ALL]
    arms = sorted((field for field in total if field[0] == counters.ARM), key=lambda field: -total[field])[:MOST]
    return {":".join(field): f"{field[1]}@{field[2]} {field[3]}" for field in arms}


def _latency(counts: Counts, _seconds: int) -> Values:
    found = latency(counts)
    return {"p50": found.p50, "p95": found.p95, "p99": found.p99}


def _accuracy(counts: Counts, _seconds: int) -> Values:
    right, told = accuracy(counts)
    return {"": right / told if told else None}


def _mix(field: str, *names: str) -> Callable[[Counts, int], Values]:
    return lambda counts, _seconds: {name: counts[field, name] for name in names}


def _drift(baselines: Baselines | None) -> Callable[[Counts, int], Values]:
    def values(counts: Counts, _seconds: int) -> Values:
        found = drifts(counts, baselines) if baselines else []
        return {drift.feature: None if drift.level == "too_few" else drift.psi for drift in found}

    return values


VALUES: Final[Mapping[str, Callable[[Counts, int], Values]]] = {
    "images": lambda counts, _seconds: {"": counts[counters.IMAGES,]},
    "failed": lambda counts, _seconds: {"": counts[counters.FAILED,]},
    "latency": _latency,
    "backlog": lambda counts, seconds: {"": counts[counters.LATENCY_SUM,] / 1000 / seconds},
    "label": _mix(counters.LABEL, *LABELS, NOT_TOMATO_LEAF),
    "verdict": _mix(counters.VERDICT, "diagnosed", "uncertain", "not_tomato_leaf"),
    "accuracy": _accuracy,
    "unauthenticated": lambda counts, _seconds: {"": counts[counters.UNAUTHENTICATED,]},
}
