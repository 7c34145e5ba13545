"""Cameras and their results in Redis, as the sink keeps them."""

from collections.abc import Awaitable
from typing import Any, Final, NamedTuple, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer_api.errors import RequestError
from producer_api.results.store import ResultStore
from schemas.counters import CAMERAS_KEY, CLAIMED_CAMERAS_KEY, camera_results_key, claimed_results_key
from schemas.errors import StoreUnavailableError
from schemas.result import Result

PAGE: Final = 100
MAX_CLAIMED: Final = 100
MAX_SCANNED: Final = 2000
"""Results looked at for one answer; a rare label may take several."""
T = TypeVar("T")


class Seen(NamedTuple):
    """A camera: the time of its last frame and how many came since a given time; times in ms of the broker's clock.

    The same of uploads under its name by clients that did not authenticate. None: there is none.
    """

    camera: str
    last_ms: int | None
    recent: int
    claimed_last_ms: int | None
    claimed_recent: int


class Cursor(NamedTuple):
    """Where a listing goes on: at this time, after this many results of that same millisecond."""

    ms: int
    skip: int

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """From its text. Raises RequestError."""
        ms, _, skip = text.partition("-")
        if not (ms.isdecimal() and skip.isdecimal() and len(ms) <= 15 and len(skip) <= 9):
            msg = "the cursor is not one that was given out"
            raise RequestError(msg, "Leave it out to begin anew.")
        return cls(int(ms), int(skip))

    def __str__(self) -> str:
        return f"{self.ms}-{self.skip}"


class CameraLog:
    """Reads the sink's camera views."""

    def __init__(self, redis: "Redis", results: ResultStore) -> None:
        self._redis = redis
        self._results = results

    async def cameras(self, since_ms: int) -> list[Seen]:
        """Every camera, the one heard last first; then names that only clients gave who did not authenticate.

        Of these the latest only, since anybody can make them up. Raises StoreUnavailableError.
        """
        known = dict(_scored(await _answered(self._redis.zrange(CAMERAS_KEY, 0, -1, desc=True, withscores=True))))
        claims = self._redis.zrange(CLAIMED_CAMERAS_KEY, 0, MAX_CLAIMED - 1, desc=True, withscores=True)
        claimed = dict(_scored(await _answered(claims)))
        names = list(known | claimed)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for camera in names:
                pipeline.zcount(camera_results_key(camera), since_ms, "+inf")
                pipeline.zcount(claimed_results_key(camera), since_ms, "+inf")
            counts = await _answered(pipeline.execute())
        return [
            Seen(camera, known.get(camera), together - alone, claimed.get(camera), alone)
            for camera, together, alone in zip(names, counts[::2], counts[1::2], strict=True)
        ]

    async def results(
        self, camera: str, start: Cursor, from_ms: int, label: str | None
    ) -> tuple[list[Result], Cursor | None]:
        """Up to a page of results, newest first, and where to go on. Raises StoreUnavailableError."""
        found: list[Result] = []
        at = start
        for _ in range(MAX_SCANNED // PAGE):
            ids, after = await self._ids(camera, at, from_ms)
            for number, result in enumerate(await self._results.read_many([image_id for image_id, _ in ids])):
                if result and label in {None, result.label}:
                    found.append(result.model_copy(update={"heatmap": None}))
                    if len(found) == PAGE:
                        return found, _after(at, ids[: number + 1])
            if after is None:
                return found, None
            at = after
        return found, at

    async def _ids(self, camera: str, at: Cursor, from_ms: int) -> tuple[list[tuple[str, int]], Cursor | None]:
        raw = await _answered(
            self._redis.zrange(
                camera_results_key(camera),
                at.ms,
                from_ms,
                desc=True,
                byscore=True,
                offset=at.skip,
                num=PAGE,
                withscores=True,
            )
        )
        ids = _scored(raw)
        return ids, _after(at, ids) if len(ids) == PAGE else None


def _after(at: Cursor, ids: list[tuple[str, int]]) -> Cursor:
    last = ids[-1][1]
    same = sum(ms == last for _, ms in ids)
    return Cursor(last, same + (at.skip if last == at.ms else 0))


def _scored(members: Any) -> list[tuple[str, int]]:
    return [(member.decode(), int(score)) for member, score in members]


async def _answered(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (RedisError, OSError) as error:
        msg = "Redis does not answer"
        raise StoreUnavailableError(msg, "Ask again in a moment.") from error
