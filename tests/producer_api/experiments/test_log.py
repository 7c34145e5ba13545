import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from examples import experiment
from tenacity import Retrying, stop_after_delay, wait_fixed

from ops.settings import TopicSettings
from ops.topics import create_topics, partition_counts
from producer_api.experiments.log import ExperimentLog
from schemas.errors import BrokerUnavailableError
from schemas.topics import EXPERIMENTS


@pytest.fixture
def log(topics):
    log = ExperimentLog(topics, 30)
    yield log
    log.close()


@pytest.mark.broker
def test_what_one_process_appends_the_other_reads_at_once(topics, log):
    writer = ExperimentLog(topics, 30)
    assert log.read().names() == []
    for number in range(1, 6):
        writer.append(experiment(version=number))
        assert log.read().versions("default") == [experiment(version=n) for n in range(1, number + 1)]


@pytest.mark.broker
def test_records_that_are_no_definitions_are_left_out(topics, log, caplog):
    producer = Producer({"bootstrap.servers": topics})
    producer.produce(EXPERIMENTS.name, key="junk", value=b"{}")
    producer.produce(EXPERIMENTS.name, key="default@1", value=None)
    producer.flush(10)
    log.append(experiment())
    assert log.read().versions("default") == [experiment()]
    assert "record 0 of leaf.experiments is skipped" in caplog.text


@pytest.mark.broker
def test_the_end_is_found_where_no_record_stands_before_it(topics, log):
    """As behind a transaction's marker, or where somebody deleted records."""
    log.append(experiment())
    admin = AdminClient({"bootstrap.servers": topics})
    deletable = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, EXPERIMENTS.name, incremental_configs=[deletable])
    admin.incremental_alter_configs([topic])[topic].result(30)
    end = TopicPartition(EXPERIMENTS.name, 0, 1)
    for attempt in Retrying(stop=stop_after_delay(20), wait=wait_fixed(0.1)):  # until the broker goes by the new policy
        with attempt:
            admin.delete_records([end])[end].result(30)
    assert log.read().names() == []


@pytest.mark.broker
def test_a_topic_made_anew_is_read_from_its_start(topics, log):
    for number in (1, 2, 3):
        log.append(experiment(version=number))
    assert len(log.read().versions("default")) == 3
    admin = AdminClient({"bootstrap.servers": topics})
    admin.delete_topics([EXPERIMENTS.name], operation_timeout=10)[EXPERIMENTS.name].result(10)
    while EXPERIMENTS.name in partition_counts(admin):
        time.sleep(0.05)
    create_topics(TopicSettings(kafka=topics), experiment=False)
    log.append(experiment(name="another"))
    assert log.read().names() == ["another"]


def test_without_a_broker_both_ways_end_in_time_with_what_to_do():
    log = ExperimentLog("127.0.0.1:1", 0.5)
    with pytest.raises(BrokerUnavailableError, match="can't be read") as unread:
        log.read()
    assert unread.value.remedy
    with pytest.raises(BrokerUnavailableError, match="default@1 is not confirmed"):
        log.append(experiment())
    log.close()


def test_nobody_waits_for_longer_than_a_reading_may_take():
    log = ExperimentLog("127.0.0.1:1", 0.5)
    with ThreadPoolExecutor(6) as pool:
        began = time.monotonic()
        for asked in [pool.submit(log.read) for _ in range(6)]:
            with pytest.raises(BrokerUnavailableError):
                asked.result()
        assert time.monotonic() - began < 2
