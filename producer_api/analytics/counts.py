"""The sink's counters, read from Redis and remembered until they change."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar, cast

from pydantic import BaseModel
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from producer_api.analytics.bucket import NOTHING, Bucket, Buckets, Counts, summed
from producer_api.analytics.window import Window
from schemas.counters import CAMERAS_KEY, CHANGES_KEY, COMPLETE_SINCE_KEY, TOTALS_KEY, Step, bucket_key
from schemas.errors import StoreUnavailableError

T = TypeVar("T")

TOGETHER: Final = 2000
"""Hashes asked for in one round trip."""
REFUSED_SECONDS: Final = 1
"""After Redis did not answer, nobody else waits for it for so long."""


class Totals(BaseModel):
    """What never gets lost in buckets."""

    lost: int
    """Records that retention took before the sink had read them."""
    duplicates: int
    """Records that came again and were not counted again."""
    malformed: int
    """Records that follow no contract and were skipped."""
    complete_since: datetime | None
    """Before this, counts may be missing: Redis was once emptied and the log held no more. Null: nothing is missing."""


class CounterStore:
    """Counters of any range, for one thread at a time; every method raises StoreUnavailableError where Redis is away.

    1. Each question asks Redis first which buckets changed since the last one (`leaf:changes`), and forgets these. So
       an answer is as new as if nothing were remembered.
    2. What isn't remembered is read, and remembered.
    3. Buckets older than what the sink keeps are empty, and not asked for.

    Survives: Redis restarted, set back or emptied (all is forgotten after an error, and where the last change is older
    than the last one seen), changes that are no longer listed (all is forgotten).
    """

    def __init__(self, url: str, seconds: float, kept: Mapping[Step, timedelta]) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0), protocol=2
        )
        self._kept = kept
        self._buckets = Buckets()
        self._revision = 0
        self._refuse_until = 0.0

    def close(self) -> None:
        """Disconnect."""
        self._redis.close()

    def sum(self, window: Window, scopes: Iterable[str]) -> dict[str, Counts]:
        """Each scope's counters over the whole window."""
        return {scope: summed(window.buckets(), found) for scope, found in self._read(window, scopes).items()}

    def each(self, window: Window, scopes: Iterable[str]) -> dict[str, list[Counts]]:
        """Each scope's counters bucket by bucket; not to be changed."""
        return {scope: [one.counts for one in found] for scope, found in self._read(window, scopes).items()}

    def totals(self) -> Totals:
        """What was lost, came twice, or is missing."""
        numbers, since = self._answered(self._totals)
        latest = max(map(int, since), default=None)
        return Totals(
            **{name: int(numbers.get(name.encode(), 0)) for name in ("lost", "duplicates", "malformed")},
            complete_since=None if latest is None else datetime.fromtimestamp(latest / 1000, UTC),
        )

    def cameras(self, since: datetime, most: int) -> list[str]:
        """Cameras with a frame since then, the latest first."""
        oldest = int(since.timestamp() * 1000)
        found = self._answered(lambda: self._redis.zrevrangebyscore(CAMERAS_KEY, "+inf", oldest, 0, most))
        return [name.decode() for name in cast("list[bytes]", found)]

    def _totals(self) -> tuple[dict[bytes, bytes], list[bytes]]:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(TOTALS_KEY)
        pipeline.hvals(COMPLETE_SINCE_KEY)
        numbers, since = pipeline.execute()
        return numbers, since

    def _read(self, window: Window, scopes: Iterable[str]) -> dict[str, list[Bucket]]:
        oldest = (time.time() - self._kept[window.step].total_seconds()) * 1000
        starts = list(window.buckets())
        keys = {
            scope: [bucket_key(window.step, start, scope) if start > oldest else "" for start in starts]
            for scope in scopes
        }
        return self._answered(lambda: self._look_up(keys))

    def _look_up(self, keys: Mapping[str, list[str]]) -> dict[str, list[Bucket]]:
        self._forget_changed()
        asked = {key for scope in keys.values() for key in scope if key}
        found = {key: bucket for key in asked if (bucket := self._buckets.get(key))}
        missing = list(asked - found.keys())
        for at in range(0, len(missing), TOGETHER):
            pipeline = self._redis.pipeline(transaction=False)
            for key in missing[at : at + TOGETHER]:
                pipeline.hgetall(key)
            for key, counts in zip(missing[at : at + TOGETHER], pipeline.execute(), strict=True):
                found[key] = self._buckets.remember(key, Bucket(counts) if counts else NOTHING)
        return {scope: [found.get(key, NOTHING) for key in those] for scope, those in keys.items()}

    def _forget_changed(self) -> None:
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.zrange(CHANGES_KEY, 0, 0, withscores=True)
        pipeline.zrange(CHANGES_KEY, -1, -1, withscores=True)
        pipeline.zrangebyscore(CHANGES_KEY, f"({self._revision}", "+inf")
        first, last, changed = pipeline.execute()
        newest = int(last[0][1]) if last else 0
        if newest < self._revision or (first and first[0][1] > self._revision):
            self._buckets.clear()
        for key in changed:
            self._buckets.forget(key.decode())
        self._revision = newest

    def _answered(self, ask: Callable[[], T]) -> T:
        """Twice if need be: the connection may be to a Redis that was restarted since."""
        reason: Exception | None = None
        for _ in range(2 if time.monotonic() >= self._refuse_until else 0):
            try:
                return ask()
            except (RedisError, OSError) as error:
                self._buckets.clear()
                reason = error
        if reason is not None:
            self._refuse_until = time.monotonic() + REFUSED_SECONDS
        msg = "the counters can't be read: Redis does not answer"
        raise StoreUnavailableError(msg, "Ask again in a moment.") from reason
