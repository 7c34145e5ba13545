"""Counter hashes as they were read, remembered, and summed."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Final

from schemas.counters import total

Counts = Counter[tuple[str, ...]]
"""Field, split at its colons, to number: see `schemas.counters`."""

MOST_FIELDS: Final = 1_000_000
"""Fields of all remembered buckets together, some 80 bytes each: a month of hours of four busy scopes."""
DAY_MS: Final = 86_400_000


class Bucket:
    """One hash. Never changed: another object takes its place, so that sums of it can be kept."""

    __slots__ = ("counts",)

    def __init__(self, found: Mapping[bytes, bytes]) -> None:
        self.counts: Counts = total([found])


NOTHING: Final = Bucket({})


class Buckets:
    """Remembered by key; those used longest ago are forgotten above `MOST_FIELDS`."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Bucket] = OrderedDict()
        self._fields = 0

    def get(self, key: str) -> Bucket | None:
        """As it was remembered."""
        if (bucket := self._known.get(key)) is not None:
            self._known.move_to_end(key)
        return bucket

    def remember(self, key: str, bucket: Bucket) -> Bucket:
        """In place of what was remembered."""
        self.forget(key)
        self._known[key] = bucket
        self._fields += _size(bucket)
        while self._fields > MOST_FIELDS:
            self._fields -= _size(self._known.popitem(last=False)[1])
        return bucket

    def forget(self, key: str) -> None:
        """It has changed."""
        if (bucket := self._known.pop(key, None)) is not None:
            self._fields -= _size(bucket)

    def clear(self) -> None:
        """All may have changed."""
        self._known.clear()
        self._fields = 0


def summed(starts: Iterable[int], buckets: Iterable[Bucket]) -> Counts:
    """All together; `starts` are their begins, ms. Sums of days are kept."""
    whole: Counts = Counter()
    for _, day in groupby(zip(starts, buckets, strict=True), lambda bucket: bucket[0] // DAY_MS):
        _add(whole, _together(tuple(bucket for _, bucket in day)))
    return whole


@lru_cache(maxsize=500)
def _together(buckets: tuple[Bucket, ...]) -> Counts:
    """Buckets are equal only if they are the same object, so a kept sum is never out of date."""
    whole: Counts = Counter()
    for bucket in buckets:
        _add(whole, bucket.counts)
    return whole


def _add(whole: Counts, counts: Counts) -> None:
    """As Counter.update, which takes twice as long."""
    for field, number in counts.items():
        whole[field] = whole.get(field, 0) + number


def _size(bucket: Bucket) -> int:
    return 1 + len(bucket.counts)
