"""Records put straight into the topics, for measurements that start behind the API."""

import secrets
from datetime import UTC, datetime

from confluent_kafka import Producer

from schemas.image import ImageEvent
from schemas.topics import IMAGES, PARTITIONER


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
