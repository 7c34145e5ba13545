"""An operator who changes how large a record the images topic takes."""

import time

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from schemas.topics import IMAGES

TAKES_BYTES = 20_000


def lower_limit(kafka: str) -> None:
    """To 20,000 bytes."""
    _set(kafka, ConfigEntry("max.message.bytes", str(TAKES_BYTES), incremental_operation=AlterConfigOpType.SET))
    while _takes(kafka, TAKES_BYTES + 5000):  # the broker takes a moment
        time.sleep(0.05)


def restore_limit(kafka: str) -> None:
    """To Kafka's default."""
    _set(kafka, ConfigEntry("max.message.bytes", None, incremental_operation=AlterConfigOpType.DELETE))
    while not _takes(kafka, TAKES_BYTES + 5000):
        time.sleep(0.05)


def _set(kafka: str, entry: ConfigEntry) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    resource = ConfigResource(ConfigResource.Type.TOPIC, IMAGES.name, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(10)


def _takes(kafka: str, size: int) -> bool:
    """Whether a record of this size, which is no image event, is stored."""
    outcome = []
    producer = Producer({"bootstrap.servers": kafka, "log_level": 0})
    producer.produce(
        IMAGES.name, b"x" * size, headers={"no": b"event"}, on_delivery=lambda error, _message: outcome.append(error)
    )
    producer.flush(10)
    return outcome[0] is None
