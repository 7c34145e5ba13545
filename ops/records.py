"""What services skip or can't serve while they go on: their logs say it once, `leaf doctor` for a day."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition
from redis import Redis

from ops.clients import SECONDS, client
from ops.finding import Finding
from schemas import counters
from schemas.envelope import headers_of
from schemas.errors import EventError
from schemas.replay import Run
from schemas.topics import DAY_MS, EXPERIMENTS, RUNS, Topic
from schemas.trial import read_record

READERS: Final[dict[Topic, Callable[..., object]]] = {EXPERIMENTS: read_record, RUNS: Run.read}
"""The topics that are read as a whole by whoever starts."""
_HOURS: Final = 2
_CONTRACT: Final = "Produce records as schemas/asyncapi.yaml describes; logs name topic, partition and offset."


def malformed(store: "Redis") -> Finding:
    """Predictions and feedback that the sink skipped."""
    totals = cast("dict[str, str]", store.hgetall(counters.TOTALS_KEY))
    count, last_ms = int(totals.get("malformed", 0)), int(totals.get("malformed_at", 0))
    if not count:
        return Finding("malformed records", "ok", "the sink skipped none")
    last = datetime.fromtimestamp(last_ms / 1000).astimezone()
    says = f"the sink skipped {count}, the last one on {last:%Y-%m-%d at %H:%M:%S}"
    if last_ms < time.time() * 1000 - DAY_MS:
        return Finding("malformed records", "ok", says)
    return Finding("malformed records", "warning", says, _CONTRACT)


def unserved(store: "Redis") -> Finding:
    """Images that their experiment's arm did not answer, in this hour and the last."""
    now, hour = int(time.time() * 1000), 60 * 60 * 1000
    keys = [counters.bucket_key("hour", now - back * hour) for back in range(_HOURS)]
    found = counters.total(cast("dict[str, str]", store.hgetall(key)) for key in keys)
    arms: Counter[str] = Counter()
    for field, number in found.items():
        if field[0] == counters.UNSERVED:
            arms[f"{field[1]}@{field[2]}, arm {field[3]}"] += number
    if not arms:
        return Finding("experiment arms", "ok", "all are answered by the models that they name")
    says = "; ".join(f"{number} images of {arm}" for arm, number in sorted(arms.items()))
    return Finding(
        "experiment arms",
        "error",
        f"answered outside of their experiment in the last hours: {says}. The workers can't load the arm's model",
        "Their log says why. Export or copy the model again and send the workers SIGHUP, or stop the experiment.",
    )


def skipped(kafka: str) -> Iterator[Finding]:
    """Records that nobody can read, in the topics of definitions. Raises KafkaException."""
    for topic, read in READERS.items():
        offsets = [message.offset() for message in _all(kafka, topic) if not _readable(read, message)]
        if not offsets:
            yield Finding(f"records of {topic.name}", "ok", "all follow their contract")
            continue
        says = f"{len(offsets)} follow no contract and are skipped, the last one at offset {max(offsets)}"
        yield Finding(f"records of {topic.name}", "warning", says, _CONTRACT)


def _readable(read: Callable[..., object], message: Any) -> bool:
    try:
        read(message.key(), message.value(), headers_of(message))
    except EventError:
        return False
    return True


def _all(kafka: str, topic: Topic) -> Iterator[Any]:
    settings = {"group.id": "leaf-doctor", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer(client(kafka) | settings)
    deadline = time.monotonic() + SECONDS
    try:
        consumer.assign([TopicPartition(topic.name, 0, OFFSET_BEGINNING)])
        while time.monotonic() < deadline:
            for message in consumer.consume(500, 0.2):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  its public name
                    return
                elif error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise KafkaException(error)
    finally:
        consumer.close()
    raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001  its public name
