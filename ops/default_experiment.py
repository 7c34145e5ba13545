"""The experiment that a fresh installation starts with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from ops.clients import SECONDS, client
from ops.settings import TopicSettings
from schemas.card import newest
from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.experiment import Arm, Experiment
from schemas.topics import EXPERIMENTS, Topic

MODELS: Final = ("resnet50", "efficientnetb0")
"""The two classifiers that it compares."""


def default_experiment(models: Path, now: datetime) -> Experiment:
    """Half of the photographs for each model's newest version. Raises ConfigurationError where one is missing."""
    found = {name: newest(models, name) for name in MODELS}
    missing = [name for name, card in found.items() if card is None]
    if missing:
        msg = f"there is no model {' or '.join(missing)} in {models}"
        raise ConfigurationError(msg, "Train and export it with `make train`, or set LEAF_MODELS_DIR.")
    cards = [card for card in found.values() if card]
    return Experiment(
        name="default",
        version=1,
        salt="default",
        arms=[Arm(name=card.name, model=card.name, version=card.version, weight=1 / len(cards)) for card in cards],
        # A day back: whatever the broker's clock says, the first photograph finds an experiment in force.
        effective_at=now - timedelta(days=1),
    )


def publish_default(settings: TopicSettings) -> str | None:
    """Publish the `default` experiment where no experiment was ever defined; its id, or None."""
    try:
        defined = _end(AdminClient(client(settings.kafka)), EXPERIMENTS)
    except KafkaException as error:
        msg = f"{EXPERIMENTS.name} can't be read: {error.args[0].str()}"
        raise BrokerUnavailableError(msg, "Run `leaf topics` again.") from error
    if defined:
        return None
    record = default_experiment(settings.models_dir, datetime.now(UTC)).envelope()
    errors: list[Any] = []
    producer = Producer({**client(settings.kafka), "enable.idempotence": True})
    producer.produce(
        EXPERIMENTS.name,
        key=record.key,
        value=record.value,
        headers=record.headers(),
        partition=0,  # the embedded broker gives every topic several
        on_delivery=lambda error, _message: errors.append(error),
    )
    producer.flush(SECONDS)
    if not errors or errors[0] is not None:  # KafkaError can not be compared with None
        msg = f"the default experiment is not confirmed: {errors or 'no answer'}"
        raise BrokerUnavailableError(msg, "Run `leaf topics` again.")
    return record.id


@retry(
    stop=stop_after_delay(SECONDS), wait=wait_fixed(0.2), retry=retry_if_exception_type(KafkaException), reraise=True
)
def _end(admin: AdminClient, topic: Topic) -> int:
    """How many records were ever appended; a topic that was just created may not have its leader yet."""
    partitions = admin.list_topics(topic.name, timeout=SECONDS).topics[topic.name].partitions
    latest = {TopicPartition(topic.name, partition): OffsetSpec.latest() for partition in partitions}
    return sum(future.result(SECONDS).offset for future in admin.list_offsets(latest).values())
