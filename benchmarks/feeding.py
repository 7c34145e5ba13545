"""Records put straight into the topics, and waited for, for measurements that start behind the API."""

import secrets
import time
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import Consumer, Producer, TopicPartition

from schemas.image import ImageEvent
from schemas.topics import IMAGES, PARTITIONER, Topic

DEADLINE_S: Final = 120


def produce_images(bootstrap: str, photographs: list[bytes], count: int) -> None:
    """Fill the images topic with `count` image events, spread over all partitions."""
    producer = Producer({"bootstrap.servers": bootstrap, "partitioner": PARTITIONER, "linger.ms": 20})
    for number in range(count):
        image_id = secrets.token_urlsafe(24)
        jpeg = photographs[number % len(photographs)]
        event = ImageEvent(id=image_id, jpeg=jpeg, accepted_at=datetime.now(UTC), key=image_id)
        producer.produce(IMAGES.name, value=jpeg, key=image_id, headers=event.envelope().headers())
        producer.poll(0)
    producer.flush(60)


def records(bootstrap: str, topic: Topic) -> int:
    """How many were ever appended to it."""
    return _end(_consumer(bootstrap), topic)


def await_records(bootstrap: str, topic: Topic, count: int, seconds: float = DEADLINE_S) -> None:
    """Return as soon as `count` were ever appended to it."""
    consumer = _consumer(bootstrap)
    deadline = time.monotonic() + seconds
    while _end(consumer, topic) < count:
        if time.monotonic() > deadline:
            msg = f"{topic.name} did not hold {count} records within {seconds:g} s"
            raise TimeoutError(msg)
        time.sleep(0.01)


def _consumer(bootstrap: str) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "bench"})


def _end(consumer: Consumer, topic: Topic) -> int:
    partitions = consumer.list_topics(topic.name, timeout=10).topics[topic.name].partitions
    ends = [consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=10) for number in partitions]
    return sum(high for _, high in ends)
