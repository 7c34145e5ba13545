"""From what a person asks for, times or offsets, to the offsets of a run."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from schemas.errors import ConfigurationError
from schemas.moment import in_order, moment
from stream_workers.replay.images import ImagesTopic

_REMEDY = "Give a time, as in 2026-11-23T08:00 (here) or 2026-11-23T07:00Z, or offsets, as in 0:1200,3:980."


@dataclass(frozen=True)
class Bound:
    """One end of a range: a time, or offsets of some partitions."""

    time: datetime | None = None
    offsets: dict[int, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Read `T` or `P:OFFSET,...`; None: no bound. Raises ConfigurationError."""
        if text is None:
            return cls()
        if re.fullmatch(r"\d{1,9}:\d{1,18}(,\d{1,9}:\d{1,18})*", text):
            pairs = (pair.split(":") for pair in text.split(","))
            return cls(offsets={int(partition): int(offset) for partition, offset in pairs})
        try:
            return cls(time=moment(text))
        except ConfigurationError:
            msg = f"{text!r} is neither a time nor offsets"
            raise ConfigurationError(msg, _REMEDY) from None


def check_order(start: Bound, end: Bound) -> None:
    """Raises ConfigurationError where the range ends before it begins, as far as that can be said without the topic."""
    in_order(start.time, end.time)
    for partition in sorted(start.offsets.keys() & end.offsets.keys()):
        _check(partition, start.offsets[partition], end.offsets[partition])


def _check(partition: int, begin: int, end: int) -> None:
    if begin > end:
        msg = f"--from is after --to: partition {partition} would begin at offset {begin} and end before {end}"
        raise ConfigurationError(msg, "Give the earlier one as --from.")


@dataclass(frozen=True)
class Range:
    """Offsets, and what of the asked is not there any more."""

    start: dict[int, int]
    end: dict[int, int]
    gone: str | None = None

    @property
    def length(self) -> int:
        """Images in it."""
        return sum(self.end[partition] - start for partition, start in self.start.items())


def resolve(topic: ImagesTopic, start: Bound, end: Bound) -> Range:
    """The offsets that lie between the bounds now; without a bound, from the oldest or to the newest.

    Where offsets are given, only the partitions that they name. Raises ConfigurationError, also where it ends before it
    begins.
    """
    check_order(start, end)
    oldest, newest = topic.oldest(), topic.end()
    named = start.offsets.keys() | end.offsets.keys()
    if unknown := named - oldest.keys():
        msg = f"there is no partition {', '.join(map(str, sorted(unknown)))}"
        raise ConfigurationError(msg, f"There are 0 to {max(oldest)}.")
    begins = (topic.since(start.time) if start.time else oldest) | start.offsets
    ends = (topic.since(end.time) if end.time else newest) | end.offsets
    if (start.time and end.offsets) or (start.offsets and end.time):
        for partition in sorted(named):
            _check(partition, begins[partition], ends[partition])
    lows = {partition: max(begins[partition], oldest[partition]) for partition in named or oldest}
    highs = {partition: max(low, min(ends[partition], newest[partition])) for partition, low in lows.items()}
    missing = sum(max(0, min(ends[p], oldest[p]) - begins[p]) for p in lows)
    return Range(lows, highs, _gone(topic, start, missing, any(oldest.values())))


def _gone(topic: ImagesTopic, start: Bound, missing: int, expired: bool) -> str | None:
    if missing:
        return f"{missing} of these images are out of the retention window and gone"
    since = topic.oldest_time() if start.time and expired else None
    if since and start.time and start.time < since:
        return f"images before {since.astimezone():%Y-%m-%d %H:%M:%S} are out of the retention window and gone"
    return None
