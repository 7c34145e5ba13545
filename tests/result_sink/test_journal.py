"""What the sink asks the broker."""

import time

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from sinks import eventually, made, publish

from result_sink.journal import Bounds, Journal
from result_sink.settings import TOPICS, SinkSettings
from schemas.errors import ConfigurationError
from schemas.topics import PREDICTIONS

pytestmark = pytest.mark.broker
PARTITION = TopicPartition(PREDICTIONS.name, 0)


@pytest.fixture
def admin(topics):
    return AdminClient({"bootstrap.servers": topics})


@pytest.fixture
def journal(topics, admin):
    consumer = Consumer({"bootstrap.servers": topics, "group.id": "journal"})
    yield Journal(SinkSettings(kafka=topics, mode="real"), consumer, admin)
    consumer.close()


def delete(admin):
    admin.delete_topics([PREDICTIONS.name])[PREDICTIONS.name].result(20)


def create(admin):
    def attempt():
        created = admin.create_topics([NewTopic(PREDICTIONS.name, 12, 1, config=PREDICTIONS.config())])
        assert created[PREDICTIONS.name].exception(20) is None

    eventually(attempt)


def bounds(journal):
    """Where the log starts and ends, once the new topic has a leader."""
    try:
        return journal.bounds(PARTITION)
    except KafkaException as error:
        raise AssertionError from error


def test_a_topic_deleted_and_made_again_has_another_id(journal, admin):
    ids = journal.topic_ids()
    assert set(ids) == set(TOPICS)
    assert len(set(ids.values())) == len(TOPICS)
    assert journal.recreated(ids) == []
    delete(admin)
    create(admin)

    def noticed():
        assert journal.recreated(ids) == [PREDICTIONS.name]

    eventually(noticed)
    assert journal.topic_ids()[PREDICTIONS.name] != ids[PREDICTIONS.name]


def test_a_missing_topic_is_named_with_what_to_do(journal, admin):
    delete(admin)

    def told():
        try:
            found = journal.topic_ids()
        except ConfigurationError as missing:
            return missing
        raise AssertionError(found)

    missing = eventually(told)
    assert PREDICTIONS.name in str(missing)
    assert "leaf topics" in missing.remedy
    create(admin)
    eventually(lambda: bounds(journal))


def test_bounds_and_first_time_follow_the_log(journal, admin, producer):
    assert eventually(lambda: bounds(journal)) == Bounds(0, 0)
    assert journal.first_timestamp_ms(PARTITION) is None
    publish(producer, [made(0)])
    first = journal.first_timestamp_ms(PARTITION)
    time.sleep(0.05)
    publish(producer, [made(1)])
    admin.delete_records([TopicPartition(PREDICTIONS.name, 0, 1)])[PARTITION].result(20)
    assert journal.bounds(PARTITION) == Bounds(1, 2)
    assert first < journal.first_timestamp_ms(PARTITION) < time.time() * 1000 + 1


def test_the_embedded_broker_has_no_ids():
    journal = Journal(SinkSettings(mode="embedded"), consumer=None, admin=None)
    assert journal.topic_ids() == dict.fromkeys(TOPICS, "embedded")
    assert journal.recreated({}) == []
