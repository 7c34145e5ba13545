"""Promise 3 against a real Kafka and a real Redis: whatever happens, every event counts once."""

import random
import shutil
import time

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from sinks import eventually, everything, failed, hours, made, publish, results, told

from result_sink import metrics
from schemas.counters import COMPLETE_SINCE_KEY, OFFSETS_KEY, TOTALS_KEY
from schemas.topics import PREDICTIONS

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]


def spread(numbers, **changes):
    """Predictions over four partitions, half of them from cameras."""
    return [made(n, partition=n % 4, camera=f"camera-{n % 3}" if n % 2 else None, **changes) for n in numbers]


def exactly(store, count):
    """Every one of so many images has its result and is counted once."""

    def check():
        assert len(results(store)) == count
        counted = hours(store)
        assert counted.get("images", 0) + counted.get("failed", 0) == count

    eventually(check, 60)


def first_partition(store):
    """Stored offsets of partition 0 of the predictions by field, one for each id that the topic had."""
    stored = store.hgetall(OFFSETS_KEY).items()
    return {key: int(value) for key, value in stored if key.startswith("leaf.predictions:") and key.endswith(":0")}


def settled(store, applied):
    """Sum of all stored offsets of the predictions."""

    def check():
        stored = store.hgetall(OFFSETS_KEY)
        assert sum(int(value) for key, value in stored.items() if key.startswith("leaf.predictions:")) == applied

    eventually(check, 60)


def test_events_count_once_though_they_come_twice(start, producer, store):
    events = [*spread(range(200)), *spread(range(0, 200, 3)), *(told(n, "healthy") for n in range(50))]
    random.Random(7).shuffle(events)
    publish(producer, events)
    start()
    publish(producer, [*spread(range(100, 300)), failed(900), made(0, run="again")])
    exactly(store, 301)

    def joined():
        counted = hours(store)
        assert sum(count for name, count in counted.items() if name.startswith("feedback:")) == 50
        assert counted["failed"] == 1
        assert int(store.hget(TOTALS_KEY, "duplicates")) == 67 + 100
        assert store.hget("leaf:run:again:counters", "images") == "1"

    eventually(joined)


def test_a_sink_that_starts_again_goes_on_where_redis_says(start, producer, store):
    first = start()
    publish(producer, spread(range(40)))
    exactly(store, 40)
    first.stop()
    publish(producer, spread(range(40, 60)))
    before = store.hget(TOTALS_KEY, "duplicates")
    start()
    exactly(store, 60)
    assert store.hget(TOTALS_KEY, "duplicates") == before


def test_sinks_share_the_partitions_and_take_over(start, producer, store):
    publish(producer, spread(range(100)))
    sinks = [start(), start()]
    exactly(store, 100)
    eventually(lambda: [_owns(sink) for sink in sinks])
    sinks[0].stop()
    publish(producer, spread(range(100, 200)))
    exactly(store, 200)
    assert TOTALS_KEY not in store.keys("*")


def _owns(sink):
    assert len(sink.sink._owned) == 18


def test_two_sinks_that_both_own_every_partition_do_no_harm(start, producer, store):
    start(group="one", batch=7)
    start(group="two", batch=11)
    for first in range(0, 600, 100):
        publish(producer, spread(range(first, first + 100)))
    exactly(store, 600)
    settled(store, 600)
    assert TOTALS_KEY not in store.keys("*")


def test_redis_emptied_under_an_idle_sink_is_rebuilt_alike(start, producer, store):
    start()
    events = [*spread(range(300)), failed(500), made(501, image_id="image-0000000000000500")]
    publish(producer, [*events, *(told(n, "leaf_mold") for n in range(30)), *spread(range(20), run="again")])
    exactly(store, 301)
    settled(store, 302)
    time.sleep(1)
    before = everything(store)
    offsets = store.hgetall(OFFSETS_KEY)
    store.flushall()
    exactly(store, 301)

    def alike():
        assert everything(store) == before
        assert store.hgetall(OFFSETS_KEY) == offsets

    eventually(alike)


def test_redis_emptied_again_and_again_while_events_flow(start, producer, store):
    start(batch=50, read_ahead=200)
    start(batch=50, read_ahead=200)
    for first in range(0, 4000, 500):
        publish(producer, spread(range(first, first + 500)))
        if first % 1000 == 0:
            store.flushall()
    exactly(store, 4000)
    settled(store, 4000)
    assert TOTALS_KEY not in store.keys("*")


def test_a_partition_counts_as_rewound_once_however_many_of_its_batches_are_refused(start, producer, store):
    sink = start(batch=5).sink
    publish(producer, [made(n) for n in range(5)])
    exactly(store, 5)
    before, apply = metrics.REWINDS._value.get(), sink._store.apply

    def set_back(batches):
        if len(batches) > 4:
            sink._store.apply = apply
            (field,) = first_partition(store)
            store.hset(OFFSETS_KEY, field, 0)
        apply(batches)

    sink._store.apply = set_back
    sink._consumer.pause([TopicPartition(PREDICTIONS.name, 0)])
    publish(producer, [made(n) for n in range(5, 60)])
    sink._consumer.resume([TopicPartition(PREDICTIONS.name, 0)])
    exactly(store, 60)
    settled(store, 60)
    assert sink._store.apply == apply
    assert metrics.REWINDS._value.get() == before + 1


def test_a_partition_that_went_to_another_sink_has_no_lag_here(start, producer, store):
    sink = start().sink
    publish(producer, [made(n) for n in range(5)])
    exactly(store, 5)
    metrics.LAG.labels(PREDICTIONS.name, 99).set(7)
    sink._ready = False  # as after any rebalance
    eventually(lambda: _is("99" in {sample.labels["partition"] for sample in metrics.LAG.collect()[0].samples}, False))


def test_redis_away_and_back_with_an_older_copy_of_its_data(start, producer, store, redis_process):
    start()
    publish(producer, spread(range(50)))
    exactly(store, 50)
    redis_process.stop()
    data = redis_process.directory / "appendonlydir"
    copy = redis_process.directory / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data, copy)
    publish(producer, spread(range(50, 80)))
    redis_process.start()
    exactly(store, 80)
    redis_process.stop()
    shutil.rmtree(data)
    shutil.copytree(copy, data)
    redis_process.start()
    exactly(store, 80)
    settled(store, 80)
    assert TOTALS_KEY not in store.keys("*")


def test_an_older_copy_put_back_without_a_restart_is_noticed_on_idle_partitions(start, producer, store):
    start()
    publish(producer, spread(range(20)))
    exactly(store, 20)
    copy = _dump(store)
    publish(producer, spread(range(20, 50)))
    exactly(store, 50)
    with _raw(store).pipeline() as transaction:
        transaction.flushall()
        for key, (value, expires) in copy.items():
            transaction.restore(key, expires, value, absttl=True)
        transaction.execute()
    exactly(store, 50)
    settled(store, 50)


def _raw(store):
    from redis import Redis

    arguments = store.connection_pool.connection_kwargs
    return Redis(host=arguments["host"], port=arguments["port"])


def _dump(store):
    with _raw(store) as raw:
        return {key: (raw.dump(key), max(0, raw.pexpiretime(key))) for key in raw.keys("*")}


def test_a_sink_asks_every_second_whether_topics_were_recreated(start, producer, store, monkeypatch):
    running = start()
    publish(producer, [made(n) for n in range(10)])
    exactly(store, 10)
    asked = []

    def recreated(ids):
        asked.append(ids)
        return [PREDICTIONS.name] if len(asked) == 1 else []

    finds = []
    find = running.sink._positions.find
    monkeypatch.setattr(running.sink._positions, "find", lambda owned: finds.append(1) or find(owned))
    monkeypatch.setattr(running.sink._journal, "recreated", recreated)
    eventually(lambda: _is((len(finds), len(asked) > 3), (1, True)))


def test_a_recreated_topic_starts_anew_under_its_own_id(start, producer, store, topics):
    start()
    publish(producer, [made(n) for n in range(40)])
    exactly(store, 40)
    admin = AdminClient({"bootstrap.servers": topics})
    admin.delete_topics([PREDICTIONS.name])[PREDICTIONS.name].result(20)

    def create():
        config = PREDICTIONS.config()
        try:
            admin.create_topics([NewTopic(PREDICTIONS.name, 12, 1, config=config)])[PREDICTIONS.name].result(20)
        except Exception as error:
            raise AssertionError(error) from error

    eventually(create)
    eventually(lambda: publish(producer, [made(100)]), 30)
    # fewer records than the old offset, then more
    exactly(store, 41)
    publish(producer, [made(n) for n in range(101, 160)])
    exactly(store, 100)
    assert sorted(first_partition(store).values()) == [40, 60]


def test_a_log_that_lost_its_end_and_grew_again_is_read_from_its_start(start, producer, store, broker, caplog):
    start(session_timeout_ms=45000)  # long enough that it keeps its partitions meanwhile
    publish(producer, [made(n) for n in range(40)])
    exactly(store, 40)
    broker.stop()
    shutil.rmtree(broker.directory / "data" / f"{PREDICTIONS.name}-0")
    broker.start()
    publish(producer, [made(n) for n in range(30, 90)])
    exactly(store, 90)
    eventually(lambda: _is([*first_partition(store).values()], [60]))
    assert "the broker lost records" in caplog.text
    assert store.hget(TOTALS_KEY, "duplicates") == "10"


def _is(value, expected):
    assert value == expected


def test_a_stored_offset_beyond_the_log_is_noticed_at_the_start(start, producer, store, caplog):
    sink = start()
    publish(producer, [made(n) for n in range(10)])
    exactly(store, 10)
    sink.stop()
    (field,) = first_partition(store)
    store.hset(OFFSETS_KEY, field, 1000)
    publish(producer, [made(n) for n in range(10, 15)])
    start()
    exactly(store, 15)
    assert "the broker lost records" in caplog.text


def test_what_retention_took_unread_is_counted_as_lost(start, producer, store, topics, caplog):
    sink = start()
    publish(producer, [made(n) for n in range(10)])
    exactly(store, 10)
    sink.stop()
    publish(producer, [made(n) for n in range(10, 30)])
    _truncate(topics, 25)
    start()
    exactly(store, 15)
    assert store.hget(TOTALS_KEY, "lost") == "15"
    (field,) = first_partition(store)
    oldest = min(int(store.hget(f"leaf:result:image-{n:016d}", "done_at")) for n in range(25, 30))
    assert store.hgetall(COMPLETE_SINCE_KEY) == {field: str(oldest)}
    assert "retention took 15 records" in caplog.text


def test_an_emptied_redis_says_since_when_it_is_complete(start, producer, store, topics):
    start()
    publish(producer, [made(n) for n in range(10)])
    exactly(store, 10)
    assert COMPLETE_SINCE_KEY not in store.keys("*")
    _truncate(topics, 4)
    oldest = int(store.hget("leaf:result:image-0000000000000004", "done_at"))
    store.flushall()
    exactly(store, 6)
    assert [int(since) for since in store.hgetall(COMPLETE_SINCE_KEY).values()] == [oldest]
    assert not store.hexists(TOTALS_KEY, "lost")


def _truncate(topics, before):
    partition = TopicPartition(PREDICTIONS.name, 0, before)
    admin = AdminClient({"bootstrap.servers": topics})  # its answers end with it
    admin.delete_records([partition])[partition].result(20)


def test_retention_that_overtakes_a_running_sink_is_noticed(start, producer, store, topics):
    slow = start()
    publish(producer, [made(n) for n in range(10)])
    exactly(store, 10)
    partition = TopicPartition(PREDICTIONS.name, 0)
    slow.sink._consumer.pause([partition])
    publish(producer, [made(n) for n in range(10, 30)])
    _truncate(topics, 20)
    slow.sink._consumer.resume([partition])
    exactly(store, 20)
    assert store.hget(TOTALS_KEY, "lost") == "10"


def test_a_broker_that_is_away_costs_nothing_but_time(start, producer, store, broker, caplog):
    start()
    publish(producer, spread(range(20)))
    exactly(store, 20)
    broker.kill()
    caplog.clear()
    time.sleep(6)
    said = [record for record in caplog.records if record.name.startswith("result_sink")]
    assert len(said) <= 3
    broker.start()
    publish(producer, spread(range(20, 40)))
    exactly(store, 40)
