"""`python -m result_sink` as it is run."""

import os
import signal
import subprocess
import sys
import time
import urllib.request

import pytest
from redis import Redis
from sinks import eventually, hours, made, publish, results, told

from ops.embedded import Embedded
from ops.ports import free_port
from ops.process import Process

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]


def process(tmp_path, kafka, redis, mode="real"):
    port = free_port()
    env = {"KAFKA": kafka, "REDIS": redis, "MODE": mode, "LEAF_SINK_METRICS_PORT": str(port)}
    sink = Process("sink", [sys.executable, "-m", "result_sink"], log=tmp_path / "sink.log", env=env, stop_seconds=10)
    return sink, f"http://127.0.0.1:{port}/metrics"


def test_it_applies_tells_metrics_and_stops_gracefully(tmp_path, topics, redis_server, store, producer):
    sink, metrics = process(tmp_path, topics, redis_server)
    with sink:
        publish(producer, [made(n) for n in range(30)])

        def applied():
            assert hours(store).get("images") == 30
            text = urllib.request.urlopen(metrics, timeout=5).read().decode()
            assert 'leaf_sink_applied_total{topic="leaf.predictions"} 30.0' in text
            assert 'leaf_sink_lag{partition="0",topic="leaf.predictions"} 0.0' in text
            assert "leaf_sink_redis_up 1.0" in text

        eventually(applied, 60)
        began = time.monotonic()
        os.kill(sink.pid, signal.SIGTERM)
        eventually(lambda: _ended(sink), 15)
        assert time.monotonic() - began < 10
        assert sink.returncode == 0
        assert "stopped" in sink.log.read_text()


def _ended(sink):
    assert not sink.alive()


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path, topics, redis_server, store, producer):
    sink, _ = process(tmp_path, topics, redis_server)
    publish(producer, [made(n, partition=n % 12) for n in range(6000)])
    with sink:
        for _ in range(3):
            before = len(results(store))
            eventually(lambda before=before: _more(store, before), 40)
            sink.kill()
            sink.launch()

        def exact():
            assert len(results(store)) == 6000
            assert hours(store)["images"] == 6000

        eventually(exact, 60)
    assert "leaf:totals" not in store.keys("*")


def _more(store, before):
    assert before == 6000 or len(results(store)) > before


def test_a_wrong_redis_ends_it_with_a_sentence(tmp_path, topics, redis_server, store):
    store.config_set("maxmemory-policy", "allkeys-lru")
    try:
        env = os.environ | {"KAFKA": topics, "REDIS": redis_server, "MODE": "real"}
        command = [sys.executable, "-m", "result_sink"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    finally:
        store.config_set("maxmemory-policy", "noeviction")
    assert done.returncode == 1
    assert "maxmemory-policy is allkeys-lru" in done.stderr
    assert "config set maxmemory-policy noeviction" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_waits_for_a_broker_that_is_not_there_and_says_so_rarely(tmp_path, redis_server):
    sink, _ = process(tmp_path, "127.0.0.1:1", redis_server)
    with sink:
        time.sleep(12)
        assert sink.alive()
        assert 1 <= len(sink.log.read_text().splitlines()) <= 8
        os.kill(sink.pid, signal.SIGTERM)
        eventually(lambda: _ended(sink), 10)
        assert sink.returncode == 0


def test_embedded_broker_and_redis_will_do(tmp_path):
    from confluent_kafka import Producer

    with Embedded(tmp_path / "addresses.json", log=tmp_path / "embedded.log") as embedded:
        kafka, redis = embedded.addresses
        producer = Producer({"bootstrap.servers": kafka})
        publish(producer, [made(n, partition=n % 4) for n in range(20)])
        publish(producer, [told(3, "healthy")])
        sink, _ = process(tmp_path, kafka, redis, "embedded")
        with sink, Redis.from_url(f"redis://{redis}/0", decode_responses=True) as store:

            def applied():
                counted = hours(store)
                assert counted.get("images") == 20
                assert counted.get("feedback:late_blight:healthy") == 1

            eventually(applied, 60)
            done_at = int(store.hget("leaf:result:image-0000000000000003", "done_at"))
            assert abs(done_at / 1000 - time.time()) < 120
