"""The sink's counters, read from Redis."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, cast

from pydantic import BaseModel
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from producer_api.analytics.window import Window
from schemas.counters import CAMERAS_KEY, COMPLETE_SINCE_KEY, TOTALS_KEY, bucket_key, total
from schemas.errors import StoreUnavailableError

Counts = Counter[tuple[str, ...]]
"""Field, split at its colons, to number: see `schemas.counters`."""

TOGETHER: Final = 2000
"""Hashes asked for in one round trip."""


class Totals(BaseModel):
    """What never gets lost in buckets."""

    lost: int
    """Records that retention took before the sink had read them."""
    duplicates: int
    """Records that came again and were not counted again."""
    malformed: int
    """Records that follow no contract and were passed over."""
    complete_since: datetime | None
    """Before this, counts may be missing: Redis was once emptied and the log held no more. Null: nothing is missing."""


class CounterStore:
    """Counters of any range; every method raises StoreUnavailableError where Redis does not answer."""

    def __init__(self, url: str, seconds: float) -> None:
        self._redis = Redis.from_url(
            url,
            socket_timeout=seconds,
            socket_connect_timeout=seconds,
            retry=Retry(NoBackoff(), 1),
            decode_responses=True,
        )

    def close(self) -> None:
        """Disconnect."""
        self._redis.close()

    def sum(self, window: Window, scopes: Iterable[str]) -> dict[str, Counts]:
        """Each scope's counters over the whole window."""
        return {scope: total(found) for scope, found in self._read(window, list(scopes)).items()}

    def each(self, window: Window, scopes: Iterable[str]) -> dict[str, list[Counts]]:
        """Each scope's counters bucket by bucket."""
        return {scope: [total([one]) for one in found] for scope, found in self._read(window, list(scopes)).items()}

    def totals(self) -> Totals:
        """What was lost, came twice, or is missing."""
        with _answering():
            numbers = cast("dict[str, str]", self._redis.hgetall(TOTALS_KEY))
            since = cast("list[str]", self._redis.hvals(COMPLETE_SINCE_KEY))
        latest = max(map(int, since), default=None)
        return Totals(
            **{name: int(numbers.get(name, 0)) for name in ("lost", "duplicates", "malformed")},
            complete_since=None if latest is None else datetime.fromtimestamp(latest / 1000, UTC),
        )

    def cameras(self, since: datetime, most: int) -> list[str]:
        """Cameras with a frame since then, the latest first."""
        with _answering():
            found = self._redis.zrevrangebyscore(CAMERAS_KEY, "+inf", int(since.timestamp() * 1000), 0, most)
        return cast("list[str]", found)

    def _read(self, window: Window, scopes: Sequence[str]) -> dict[str, list[Mapping[str, str]]]:
        buckets = list(window.buckets())
        keys = [bucket_key(window.step, start, scope) for scope in scopes for start in buckets]
        found: list[Mapping[str, str]] = []
        with _answering():
            for at in range(0, len(keys), TOGETHER):
                pipeline = self._redis.pipeline(transaction=False)
                for key in keys[at : at + TOGETHER]:
                    pipeline.hgetall(key)
                found += pipeline.execute()
        size = len(buckets)
        return {scope: found[index * size : (index + 1) * size] for index, scope in enumerate(scopes)}


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        msg = "the counters can't be read: Redis does not answer"
        raise StoreUnavailableError(msg, "Ask again in a moment.") from error
