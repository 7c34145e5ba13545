"""What is remembered of the sink's counters is never older than what the sink wrote."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from sinks import START_MS, Script, made, told

from producer_api.analytics import bucket
from producer_api.analytics.counts import CounterStore
from producer_api.analytics.window import Window
from schemas.counters import ALL, CHANGES_KEY, bucket_key
from schemas.errors import StoreUnavailableError
from schemas.result import from_ms

pytestmark = pytest.mark.broker

WINDOW = Window.of(from_ms(START_MS - 10 * 86_400_000), datetime.now(UTC), "hour")


@pytest.fixture
def apply(redis_server, store):
    script = Script(redis_server)
    yield script
    script.close()


@pytest.fixture
def read_keys(counters, monkeypatch):
    """Keys of the buckets that were read from Redis, in turn."""
    keys, pipeline = [], counters._redis.pipeline

    def noting(**given):
        made = pipeline(**given)
        hgetall = made.hgetall
        monkeypatch.setattr(made, "hgetall", lambda key: keys.append(key) or hgetall(key))
        return made

    monkeypatch.setattr(counters._redis, "pipeline", noting)
    return keys


def images(counters, window=WINDOW):
    found = counters.sum(window, [ALL])[ALL]["images",]
    assert found == sum(counts["images",] for counts in counters.each(window, [ALL])[ALL])
    return found


def test_only_what_changed_is_read_again(apply, counters, read_keys):
    apply(made(0), made(1, source={"timestamp_ms": START_MS - 5 * 86_400_000}))
    assert images(counters) == 2
    read_keys.clear()
    assert images(counters) == 2
    assert read_keys == []
    apply(made(2))
    assert images(counters) == 3
    assert read_keys == [bucket_key("hour", START_MS)]


def test_a_correction_of_an_old_hour_is_seen_at_once(apply, counters):
    apply(made(0, source={"timestamp_ms": START_MS - 5 * 86_400_000}))
    assert not [field for field in counters.sum(WINDOW, [ALL])[ALL] if field[0] == "feedback"]
    for label in ("healthy", "late_blight"):
        apply(told(0, label))
        found = counters.sum(WINDOW, [ALL])[ALL]
        assert [field[2] for field, n in found.items() if field[0] == "feedback" and n] == [label]


def test_a_redis_that_was_emptied_is_seen_so(apply, counters, store, redis_server):
    for number in range(5):
        apply(made(number))
    assert images(counters) == 5
    store.flushall()
    assert images(counters) == 0
    other = Script(redis_server)
    other(made(7))
    assert images(counters) == 1
    other.close()


def test_changes_that_are_no_longer_listed_are_not_missed(apply, counters, store):
    apply(made(0))
    assert images(counters) == 1
    apply(made(1))
    apply(made(2, source={"timestamp_ms": START_MS - 86_400_000}))
    store.zrem(CHANGES_KEY, *(key for key, score in store.zrange(CHANGES_KEY, 0, -1, withscores=True) if score < 3))
    assert images(counters) == 3


def test_the_list_of_changes_is_bounded(apply, store):
    store.zadd(CHANGES_KEY, {f"old-{number}": 1 for number in range(10_000)})
    apply(made(0))
    assert store.zcard(CHANGES_KEY) == 10_000
    assert store.zrange(CHANGES_KEY, -1, -1, withscores=True)[0][1] == 2


def test_what_is_remembered_is_bounded(apply, counters, read_keys, monkeypatch):
    monkeypatch.setattr(bucket, "MOST_FIELDS", 100)
    apply(*(made(number, source={"timestamp_ms": START_MS - number * 3_600_000}) for number in range(50)))
    assert images(counters) == 50
    assert counters._buckets._fields <= 100
    read_keys.clear()
    assert images(counters) == 50
    assert len(read_keys) > 50


def test_what_the_sink_keeps_no_longer_is_not_asked_for(store, redis_server, monkeypatch):
    now = time.time()
    hours = [int(now - hour * 3600) * 1000 for hour in (0, 24, 26)]
    for moment in hours:
        store.hset(bucket_key("hour", moment), "images", 1)
    found = CounterStore(f"redis://{redis_server}/0", 10, {"hour": timedelta(hours=25)})
    assert images(found, Window.of(from_ms(hours[-1]), datetime.now(UTC), "hour")) == 2
    found.close()


def test_while_redis_is_away_only_the_first_waits_for_it(monkeypatch):
    away = CounterStore("redis://127.0.0.1:1/0", 0.5, {"hour": timedelta(days=1)})
    tried, connect = [], away._redis.connection_pool.get_connection
    monkeypatch.setattr(
        away._redis.connection_pool, "get_connection", lambda *given: tried.append(1) or connect(*given)
    )
    for _ in range(5):
        with pytest.raises(StoreUnavailableError, match="Redis does not answer"):
            away.totals()
    assert len(tried) == 2


def test_a_redis_restarted_in_between_is_asked_again_at_once(counters, apply, store, redis_process):
    apply(made(0))
    assert images(counters) == 1
    redis_process.kill()
    redis_process.start()
    assert images(counters) == int(store.hget(bucket_key("hour", START_MS), "images") or 0)
