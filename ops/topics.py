"""Make the topics exist as the contract says, with an experiment in force before the first photograph."""

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from ops.clients import SECONDS, client
from ops.default_experiment import publish_default
from ops.settings import TopicSettings
from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.kafka import reach
from schemas.topics import DEAD_LETTER_HEADERS_BYTES, FAILED, IMAGES, MAX_BYTES, TOPICS, UNPROCESSABLE, Topic


@dataclass(frozen=True)
class Done:
    """What `create_topics` found and did."""

    created: list[str]
    changed: list[str]
    partitions: dict[str, int]
    experiment: str | None


def create_topics(settings: TopicSettings, *, experiment: bool = True) -> Done:
    """Create what is missing, bring settings in line, check partition counts; harmless to repeat.

    Raises ConfigurationError where topics exist with another partition count, BrokerUnavailableError where Kafka does
    not answer within some seconds.
    """
    reach(settings.kafka)
    admin = AdminClient(client(settings.kafka))
    before = partition_counts(admin)
    if settings.mode == "embedded":
        created = _touch(settings, before)
    else:
        check_counts(before, settings.partitions)
        created = _create(admin, settings, before)
    counts = _settled(admin)
    changed = [] if settings.mode == "embedded" else _configure(admin, settings)
    check_counts(counts, None if settings.mode == "embedded" else settings.partitions)
    published = publish_default(settings) if experiment else None
    return Done(created, changed, counts, published)


def partition_counts(admin: AdminClient) -> dict[str, int]:
    """Partition counts of those of our topics that exist. Raises BrokerUnavailableError."""
    try:
        known = admin.list_topics(timeout=SECONDS).topics
    except KafkaException as error:
        msg = f"Kafka does not answer: {error.args[0].str()}"
        raise BrokerUnavailableError(msg, "Start it, or correct KAFKA=host:port.") from error
    return {topic.name: len(known[topic.name].partitions) for topic in TOPICS if topic.name in known}


def check_counts(counts: dict[str, int], wanted: int | None) -> None:
    """A prediction goes to its photograph's partition number, so the counts must be equal.

    `wanted=None` asks only for equality. Raises ConfigurationError.
    """
    shared = {topic.name: counts[topic.name] for topic in TOPICS if topic.partitions is None and topic.name in counts}
    expected = wanted if wanted is not None else next(iter(shared.values()), None)
    wrong = {name: count for name, count in shared.items() if count != expected}
    if not wrong:
        return
    listed = ", ".join(f"{name} has {count}" for name, count in wrong.items())
    remedy = "Delete the topics if what is in them may go."
    if len(set(shared.values())) == 1:
        remedy = f"Set LEAF_PARTITIONS={next(iter(shared.values()))}. {remedy}"
    msg = f"every topic needs {expected} partitions: {listed}"
    raise ConfigurationError(msg, remedy)


def _create(admin: AdminClient, settings: TopicSettings, existing: Iterable[str]) -> list[str]:
    acknowledged_by = str(max(1, settings.replication - 1))
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions or settings.partitions,
            replication_factor=settings.replication,
            config=_config(topic, settings) | {"min.insync.replicas": acknowledged_by},
        )
        for topic in TOPICS
        if topic.name not in existing
    ]
    for name, future in (admin.create_topics(wanted, operation_timeout=SECONDS) if wanted else {}).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:  # another `leaf topics` was faster
                continue
            msg = f"topic {name} can't be created: {error.args[0].str()}"
            raise ConfigurationError(msg, "LEAF_REPLICATION must not exceed the number of brokers.") from error
    return [topic.topic for topic in wanted]


def differences(admin: AdminClient, settings: TopicSettings, existing: Iterable[str]) -> dict[str, dict[str, str]]:
    """Topics whose settings are not what they should be, with those they should have.

    A topic may take larger records than it needs to (`max.message.bytes`), not smaller ones.
    """
    topics = {topic.name: topic for topic in TOPICS if topic.name in existing}
    if not topics:
        return {}
    described = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in topics])
    found = {
        resource.name: {key: entry.value for key, entry in future.result(SECONDS).items()}
        for resource, future in described.items()
    }
    takes = {name: int(config[MAX_BYTES]) for name, config in found.items()}
    differing = {}
    for name, topic in topics.items():
        least = topic.record_bytes
        if topic in {UNPROCESSABLE, FAILED}:
            least = max(least, takes.get(IMAGES.name, 0) + DEAD_LETTER_HEADERS_BYTES)
        wanted = _config(topic, settings) | {MAX_BYTES: str(max(least, takes[name]))}
        if wrong := {key: value for key, value in wanted.items() if found[name][key] != value}:
            differing[name] = wrong
    return differing


def _configure(admin: AdminClient, settings: TopicSettings) -> list[str]:
    """Bring all topics' settings in line; the names of those that changed. Raises ConfigurationError."""
    changes = [
        ConfigResource(
            ResourceType.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
            ],
        )
        for name, config in differences(admin, settings, [topic.name for topic in TOPICS]).items()
    ]
    for resource, future in (admin.incremental_alter_configs(changes) if changes else {}).items():
        try:
            future.result(SECONDS)
        except KafkaException as error:
            wanted = ", ".join(f"{entry.name}={entry.value}" for entry in resource.incremental_configs)
            msg = f"topic {resource.name} can't be given {wanted}: {error.args[0].str()}"
            raise ConfigurationError(
                msg, "Set that with the cluster's own tools, then run `leaf topics` again."
            ) from error
    return [resource.name for resource in changes]


def _touch(settings: TopicSettings, existing: Iterable[str]) -> list[str]:
    """The embedded broker knows no CreateTopics: it makes a topic when a producer asks about it."""
    producer = Producer(client(settings.kafka))
    missing = [topic.name for topic in TOPICS if topic.name not in existing]
    for name in missing:
        producer.list_topics(name, timeout=SECONDS)
    return missing


@retry(
    stop=stop_after_delay(SECONDS),
    wait=wait_fixed(0.1),
    retry=retry_if_exception_type(ConfigurationError),
    reraise=True,
)
def _settled(admin: AdminClient) -> dict[str, int]:
    """Partition counts, as soon as the broker tells of every topic."""
    counts = partition_counts(admin)
    if missing := [topic.name for topic in TOPICS if not counts.get(topic.name)]:
        msg = f"the broker does not tell of {', '.join(missing)}"
        raise ConfigurationError(msg, "Run `leaf topics` again.")
    return counts


def _config(topic: Topic, settings: TopicSettings) -> dict[str, str]:
    return topic.config(settings.retention_days.get(topic.name))
