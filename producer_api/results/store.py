"""Reading results from Redis, which only the sink writes."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from producer_api.outage import Outage
from schemas.errors import StoreUnavailableError
from schemas.prediction import Prediction
from schemas.result import DONE_AT_FIELD, PREDICTION_FIELD, SHOWN_FIELD, Result, result_key

log = logging.getLogger(__name__)

PER_TURN: Final = 25
"""Results that are parsed before other requests get their turn: a few milliseconds."""


def connect(url: str, seconds: float) -> "Redis":
    """A client whose every answer comes within this time or is an error."""
    return Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 1), protocol=2
    )


class ResultStore:
    """Results by image id."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._outage = Outage(log, "reading results from Redis")

    async def answers(self) -> bool:
        """Whether Redis can be read just now."""
        try:
            await self._redis.ping()
        except (RedisError, OSError):
            return False
        return True

    async def read(self, image_id: str) -> Result | None:
        """The result, or None where there is none yet or no more. Raises StoreUnavailableError."""
        return (await self.read_many([image_id]))[0]

    async def read_many(self, image_ids: Sequence[str]) -> list[Result | None]:
        """The results of these, in one round trip. Raises StoreUnavailableError."""
        results: list[Result | None] = []
        for prediction, done_at in await self._fields(image_ids, PREDICTION_FIELD, DONE_AT_FIELD):
            results.append(_result(prediction, done_at))
            if len(results) % PER_TURN == 0:
                await asyncio.sleep(0)
        return results

    async def shown(self, image_ids: Sequence[str]) -> list[str | None]:
        """What was shown for these: `Answer.shown`, or `failed`. Raises StoreUnavailableError."""
        return [None if shown is None else shown.decode() for (shown,) in await self._fields(image_ids, SHOWN_FIELD)]

    async def _fields(self, image_ids: Sequence[str], *names: str) -> list[list[bytes | None]]:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for image_id in image_ids:
                    pipeline.hmget(result_key(image_id), list(names))
                found: list[list[bytes | None]] = await pipeline.execute()
        except (RedisError, OSError) as error:
            self._outage.began(error)
            msg = "Redis does not answer; uploads are still accepted and their results are not lost"
            raise StoreUnavailableError(msg, "Ask again in a moment.") from error
        self._outage.ended()
        return found


def _result(prediction: bytes | None, done_at_ms: bytes | None) -> Result | None:
    if prediction is None:
        return None
    return Result.of(Prediction.model_validate_json(prediction), int(done_at_ms or 0))
