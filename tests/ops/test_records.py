import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from examples import experiment, run
from fakeredis import FakeStrictRedis
from redis import Redis

from ops import records
from ops.topics import partition_counts
from schemas.counters import TOTALS_KEY, bucket_key
from schemas.topics import EXPERIMENTS, RUNS

NOW_MS = int(time.time() * 1000)
HOUR_MS = 60 * 60 * 1000


@pytest.fixture
def store() -> Iterator[Redis]:
    with FakeStrictRedis(decode_responses=True) as fake:
        yield fake


def test_no_malformed_records(store: Redis) -> None:
    store.hset(TOTALS_KEY, "duplicates", 3)
    assert records.malformed(store).state == "ok"


@pytest.mark.parametrize(("ago", "state"), [(0, "warning"), (23 * HOUR_MS, "warning"), (25 * HOUR_MS, "ok")])
def test_malformed_records_are_a_warning_for_a_day(store: Redis, ago: int, state: str) -> None:
    store.hset(TOTALS_KEY, mapping={"malformed": 12, "malformed_at": NOW_MS - ago})
    finding = records.malformed(store)
    assert finding.state == state
    assert "the sink skipped 12, the last one on 20" in finding.says
    assert bool(finding.remedy) == (state == "warning")


def test_arms_that_the_workers_can_not_serve_are_an_error_for_an_hour(
    store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "time", SimpleNamespace(time=lambda: NOW_MS / 1000))  # no hour ends meanwhile
    for ago, number in ((0, 3), (HOUR_MS, 4), (2 * HOUR_MS, 100)):
        store.hset(bucket_key("hour", NOW_MS - ago), mapping={"unserved:trial:4:new": number, "images": number})
    finding = records.unserved(store)
    assert finding.state == "error"
    assert "7 images of trial@4, arm new" in finding.says
    assert "SIGHUP" in finding.remedy
    store.flushall()
    assert records.unserved(store).state == "ok"


@pytest.mark.broker
def test_records_that_nobody_can_read_are_counted_by_topic(topics: str) -> None:
    assert [finding.state for finding in records.skipped(topics)] == ["ok", "ok"]
    producer = Producer({"bootstrap.servers": topics})
    for topic, event in ((EXPERIMENTS, experiment()), (RUNS, run())):
        record = event.envelope()
        producer.produce(topic.name, key=record.key, value=record.value, headers=[*record.headers(), ("x", b"\xff")])
    producer.produce(RUNS.name, key=b"\xff", value=b"noise")
    producer.produce(RUNS.name, key="tombstone", value=None)
    producer.flush(10)
    defined, runs = records.skipped(topics)
    assert (defined.state, runs.state) == ("ok", "warning")
    assert runs.check == "records of leaf.runs"
    assert "2 follow no contract and are skipped, the last one at offset 2" in runs.says


@pytest.mark.broker
def test_topics_that_are_not_there_are_no_wait(topics: str) -> None:
    admin = AdminClient({"bootstrap.servers": topics})
    admin.delete_topics([RUNS.name], operation_timeout=10)[RUNS.name].result(10)
    while RUNS.name in partition_counts(admin):
        time.sleep(0.05)
    with pytest.raises(KafkaException):
        list(records.skipped(topics))
