"""Reading from Redis what the sink wrote: results of a run or the live ones, and feedback."""

from collections.abc import Iterator
from typing import NamedTuple

from redis import Redis
from redis.exceptions import RedisError

from schemas.counters import feedback_key, run_results_key
from schemas.errors import StoreUnavailableError
from schemas.prediction import Prediction
from schemas.result import PREDICTION_FIELD, result_key

BATCH = 500


class Pair(NamedTuple):
    """One image, computed twice; `truth` is the label a person gave, if any."""

    before: Prediction
    after: Prediction
    truth: str | None


class Results:
    """Each method raises StoreUnavailableError where Redis does not answer."""

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, decode_responses=True, socket_timeout=10, socket_connect_timeout=5)

    def pairs(self, run: str, against: str | None) -> Iterator[Pair | None]:
        """Every image of the run with its result there and in `against` (None: live); None where that is missing."""
        try:
            ids = [str(image_id) for image_id in self._redis.zrange(run_results_key(run), 0, -1)]
            for start in range(0, len(ids), BATCH):
                pipeline = self._redis.pipeline(transaction=False)
                for image_id in ids[start : start + BATCH]:
                    pipeline.hget(result_key(image_id, against), PREDICTION_FIELD)
                    pipeline.hget(result_key(image_id, run), PREDICTION_FIELD)
                    pipeline.hget(feedback_key(image_id), "label")
                found = pipeline.execute()
                yield from map(_pair, found[::3], found[1::3], found[2::3])
        except RedisError as error:
            msg = f"Redis does not answer: {error}"
            raise StoreUnavailableError(msg, "Start it with `leaf up`, or set REDIS=host:port.") from error


def _pair(before: str | None, after: str | None, truth: str | None) -> Pair | None:
    if before is None or after is None:
        return None
    return Pair(Prediction.model_validate_json(before), Prediction.model_validate_json(after), truth)
