"""What a worker asks the broker before it starts: the topics' identity and their partition counts."""

import asyncio
import logging
from typing import Any, NoReturn

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from tenacity import before_sleep_log, retry, retry_if_exception_type, wait_fixed

from schemas.errors import ConfigurationError, LeafError
from schemas.topics import EXPERIMENTS, FAILED, IMAGES, PREDICTIONS, UNPROCESSABLE

log = logging.getLogger(__name__)

EMBEDDED_TOPIC_ID = "embedded"
"""The in-memory broker knows no topic ids."""
METADATA_MAX_AGE_MS = 5000
"""A group's leader that has not heard of the topic yet hands out nothing until it hears of it: else for 5 minutes."""
_SECONDS = 5
_LOOK_S = 1.0
_PARALLEL = (IMAGES.name, PREDICTIONS.name, UNPROCESSABLE.name, FAILED.name)


class BrokerAwayError(ConfigurationError):
    """The broker does not answer yet."""


class TopicRecreatedError(LeafError):
    """The images topic is not the one that was being read."""


@retry(
    retry=retry_if_exception_type(BrokerAwayError),
    wait=wait_fixed(_SECONDS),
    before_sleep=before_sleep_log(log, logging.WARNING),
)
def images_topic_id(bootstrap: str, *, embedded: bool) -> str:
    """Kafka's id of the images topic; waits for the broker.

    Raises ConfigurationError where topics are missing or their partition counts differ.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    try:
        known = admin.list_topics(timeout=_SECONDS).topics
    except KafkaException as error:
        msg = f"Kafka at {bootstrap} does not answer: {error.args[0].str()}"
        raise BrokerAwayError(msg, "Start it, or correct KAFKA=host:port.") from error
    check_partitions({name: len(known[name].partitions) for name in (*_PARALLEL, EXPERIMENTS.name) if name in known})
    return EMBEDDED_TOPIC_ID if embedded else _topic_id(admin)


async def until_recreated(bootstrap: str, topic_id: str) -> NoReturn:
    """Look every second, for as long as the images topic is the one that was found at the start.

    Raises TopicRecreatedError. While the topic or the broker is away nothing is known, and nothing can be read.
    """
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            now = await asyncio.to_thread(_topic_id, admin)
        except BrokerAwayError:
            continue
        if now != topic_id:
            msg = f"{IMAGES.name} was deleted and created again: it is another topic now"
            raise TopicRecreatedError(msg, "Nothing is to be done: what starts next reads it from its start.")


def check_partitions(counts: dict[str, int]) -> None:
    """A prediction goes to its image's partition number. Raises ConfigurationError where it might not exist."""
    missing = [name for name in (*_PARALLEL, EXPERIMENTS.name) if not counts.get(name)]
    if missing:
        msg = f"the broker has no topic {', '.join(missing)}"
        raise ConfigurationError(msg, "Run `leaf topics`.")
    parallel = {name: counts[name] for name in _PARALLEL}
    if len(set(parallel.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in parallel.items())
        msg = f"the topics' partition counts must be equal: {listed}"
        raise ConfigurationError(msg, "Drain and recreate the topics with `leaf topics`.")


def _topic_id(admin: AdminClient) -> str:
    described: dict[str, Any] = admin.describe_topics(TopicCollection([IMAGES.name]), request_timeout=_SECONDS)
    try:
        return str(described[IMAGES.name].result().topic_id)
    except KafkaException as error:
        msg = f"Kafka does not describe {IMAGES.name}: {error.args[0].str()}"
        raise BrokerAwayError(msg) from error
