"""Sinks that run in a thread, what to feed them, and how to look at what they wrote."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import examples
from confluent_kafka import Producer
from redis import Redis
from tenacity import retry, stop_after_delay, wait_fixed

from result_sink.batch import Batcher
from result_sink.settings import SinkSettings
from result_sink.sink import Sink
from result_sink.store import Store
from schemas import counters
from schemas.feedback import Feedback
from schemas.prediction import Failure, Prediction, Source
from schemas.topics import FEEDBACK, PREDICTIONS, REPLAYS

#: Far from an hour's start and end, so that a test stays in one bucket; close enough to now that nothing expires.
HOUR_MS = int(time.time()) // 3600 * 3600 * 1000
START_MS = HOUR_MS - 3600 * 1000
APPENDED_MS = HOUR_MS

FIELD = "leaf.predictions:t:0"
"""A partition's field among the stored offsets."""


def made(number: int, **changes: Any) -> Prediction:
    """The prediction of image `number`, at its own position of the images topic; `answer_label=` changes the label."""
    image_id = changes.pop("image_id", f"image-{number:016d}")
    answer = {name[7:]: changes.pop(name) for name in list(changes) if name.startswith("answer_")}
    partition = changes.pop("partition", 0)
    position = {
        "topic": "leaf.images",
        "topic_id": "images-topic-id",
        "partition": partition,
        "offset": number,
        "timestamp_ms": START_MS + number,
    }
    source = Source.model_validate(position | changes.pop("source", {}))
    fields = {"camera": None, "predicted_at": datetime.now(UTC), "image_id": image_id, "source": source}
    if answer:
        fields["answer"] = examples.answer(**answer)
    return examples.prediction(**(fields | changes))


def failed(number: int, **changes: Any) -> Prediction:
    """The prediction of an image that could not be diagnosed."""
    failure = Failure(kind="failed", error="the engine raised")
    return made(number, answer=None, features=None, failure=failure, **changes)


def told(number: int, label: str) -> Feedback:
    return Feedback.model_validate({"image_id": f"image-{number:016d}", "label": label, "given_at": datetime.now(UTC)})


def publish(producer: Producer, events: Iterable[Prediction | Feedback]) -> None:
    """Append events to their topics and wait for the broker."""
    failures: list[Any] = []
    for event in events:
        prediction = isinstance(event, Prediction)
        envelope = event.envelope(event.image_id) if prediction else event.envelope()
        place = {"partition": event.source.partition} if prediction else {}
        topic = (REPLAYS if event.run else PREDICTIONS).name if prediction else FEEDBACK.name
        producer.produce(
            topic,
            envelope.value,
            envelope.key,
            headers=envelope.headers(),
            on_delivery=lambda error, _: failures.append(error) if error else None,
            **place,
        )
        producer.poll(0)
    assert producer.flush(20) == 0
    assert not failures


def eventually(check: Callable[[], Any], seconds: float = 25) -> Any:
    """What `check` returns once it raises no AssertionError any more."""
    return retry(stop=stop_after_delay(seconds), wait=wait_fixed(0.1), reraise=True)(check)()


@dataclass
class Record:
    """What the sink asks of a Kafka message."""

    number: int
    event: Prediction | Feedback | bytes

    def offset(self):
        return self.number

    def value(self):
        return self.event if isinstance(self.event, bytes) else self.event.model_dump_json().encode()

    def topic(self):
        if isinstance(self.event, Feedback):
            return "leaf.feedback"
        return "leaf.replays" if getattr(self.event, "run", None) else "leaf.predictions"

    def partition(self):
        return 0

    def key(self):
        return None

    def headers(self):
        if isinstance(self.event, bytes):
            return made(0).envelope("").headers()
        return (self.event.envelope("") if isinstance(self.event, Prediction) else self.event.envelope()).headers()

    def timestamp(self):
        return 1, APPENDED_MS + self.number


class Script:
    """The sink's script on one partition, without Kafka."""

    def __init__(self, redis: str) -> None:
        settings = SinkSettings(redis=redis, mode="real")
        self._store, self._batcher, self._next = Store(settings), Batcher(settings), 0
        self._store.connect()
        self._store.move(FIELD, None, 0)

    def __call__(self, *events: Prediction | Feedback) -> None:
        """Apply these, which are all new."""
        records: list[Any] = [Record(self._next + index, event) for index, event in enumerate(events)]
        self._store.apply([self._batcher.batch(FIELD, self._next, records)])
        [(_, reply)] = self._store.replies()
        assert reply.applied == len(events)
        self._next += len(events)

    def close(self) -> None:
        self._store.close()


@dataclass
class Running:
    """A sink in a thread of its own."""

    settings: SinkSettings
    sink: Sink = field(init=False)
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self.sink = Sink(self.settings)
        self._thread = Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.sink.run()
        except BaseException as error:  # noqa: BLE001
            self.error = error

    def stop(self) -> None:
        """End it; raises what ended it before."""
        self.sink.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()
        if self.error:
            raise self.error


def hours(store: Redis, scope: str = counters.ALL) -> dict[str, int]:
    """All hours of a scope as one hash, fields as they stand in Redis."""
    keys = list(store.scan_iter(f"leaf:hour:??????????:{scope}", count=1000))
    return {":".join(name): count for name, count in counters.total(store.hgetall(key) for key in keys).items()}


def results(store: Redis) -> set[str]:
    """Ids of the images that have a live result."""
    return {key.removeprefix("leaf:result:") for key in store.scan_iter("leaf:result:*", count=1000)}


def everything(store: Redis) -> dict[str, Any]:
    """Every key with its value and expiry, except the stored offsets and changes, which count batches."""
    read = {"hash": store.hgetall, "string": lambda key: store.getrange(key, 0, -1)}
    read["zset"] = lambda key: store.zrange(key, 0, -1, withscores=True)
    keys = (key for key in store.scan_iter("*", count=1000) if key not in {counters.OFFSETS_KEY, counters.CHANGES_KEY})
    return {key: (read[store.type(key)](key), store.expiretime(key)) for key in keys}
