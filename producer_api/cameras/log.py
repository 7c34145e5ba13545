"""Cameras and their results in Redis, as the sink keeps them."""

from collections.abc import Awaitable
from typing import Any, Final, NamedTuple, TypeVar

from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer_api.errors import RequestError
from producer_api.results.store import ResultStore
from schemas.counters import CAMERAS_KEY, CLAIMED_CAMERAS_KEY, camera_results_key, claimed_results_key
from schemas.errors import StoreUnavailableError
from schemas.labels import NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM
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
            raise RequestError(msg, "Leave it out to start from the newest.")
        return cls(int(ms), int(skip))

    def __str__(self) -> str:
        return f"{self.ms}-{self.skip}"


class CameraLog:
    """Reads the sink's camera views."""

    def __init__(self, redis: "Redis", results: ResultStore) -> None:
        self._redis = redis
        self._results = results

    async def cameras(self, since_ms: int, start: Cursor) -> tuple[list[Seen], Cursor | None]:
        """Up to a page of cameras, the one heard last first, and where to go on.

        On the last page also names that only clients gave who did not authenticate; of these the latest only, since
        anybody can make them up. Raises StoreUnavailableError.
        """
        heard, after = await self._page(CAMERAS_KEY, start, 0)
        known = dict(heard)
        names = [*known, *(await self._only_claimed() if after is None else ())]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for camera in names:
                pipeline.zscore(CLAIMED_CAMERAS_KEY, camera)
                pipeline.zcount(camera_results_key(camera), since_ms, "+inf")
                pipeline.zcount(claimed_results_key(camera), since_ms, "+inf")
            counts = await _answered(pipeline.execute())
        return [
            Seen(camera, known.get(camera), together - alone, None if claimed is None else int(claimed), alone)
            for camera, claimed, together, alone in zip(names, counts[::3], counts[1::3], counts[2::3], strict=True)
        ], after

    async def _only_claimed(self) -> list[str]:
        latest: Any = await _answered(self._redis.zrange(CLAIMED_CAMERAS_KEY, 0, MAX_CLAIMED - 1, desc=True))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for camera in latest:
                pipeline.zscore(CAMERAS_KEY, camera)
            heard = await _answered(pipeline.execute())
        return [camera.decode() for camera, last_ms in zip(latest, heard, strict=True) if last_ms is None]

    async def results(
        self, camera: str, start: Cursor, from_ms: int, label: str | None
    ) -> tuple[list[Result], Cursor | None]:
        """Up to a page of results, newest first, and where to go on. Raises StoreUnavailableError."""
        found: list[Result] = []
        at = start
        for _ in range(MAX_SCANNED // PAGE):
            ids, after = await self._page(camera_results_key(camera), at, from_ms)
            candidates = await self._candidates([image_id for image_id, _ in ids], label)
            results = await self._results.read_many([ids[number][0] for number in candidates])
            for number, result in zip(candidates, results, strict=True):
                if result and label in {None, result.label}:
                    found.append(result.model_copy(update={"heatmap": None}))
                    if len(found) == PAGE:
                        return found, _after(at, ids[: number + 1])
            if after is None:
                return found, None
            at = after
        return found, at

    async def _candidates(self, image_ids: list[str], label: str | None) -> list[int]:
        """Places of those that may have the label: to parse each prediction takes ten times as long as to ask."""
        if label is None:
            return list(range(len(image_ids)))
        shown = await self._results.shown(image_ids)
        possible = {None, label, OTHER_TOMATO_PROBLEM, NOT_TOMATO_LEAF}
        return [place for place, name in enumerate(shown) if name in possible]

    async def _page(self, key: str, at: Cursor, from_ms: int) -> tuple[list[tuple[str, int]], Cursor | None]:
        raw: Any = await _answered(
            self._redis.zrange(
                key,
                at.ms,
                from_ms,
                desc=True,
                byscore=True,
                offset=at.skip,
                num=PAGE,
                withscores=True,
            )
        )
        members = [(member.decode(), int(score)) for member, score in raw]
        return members, _after(at, members) if len(members) == PAGE else None


def _after(at: Cursor, ids: list[tuple[str, int]]) -> Cursor:
    last = ids[-1][1]
    same = sum(ms == last for _, ms in ids)
    return Cursor(last, same + (at.skip if last == at.ms else 0))


async def _answered(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (RedisError, OSError) as error:
        msg = "Redis does not answer"
        raise StoreUnavailableError(msg, "Ask again in a moment.") from error
