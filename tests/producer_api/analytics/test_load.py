"""Thirty who read the same address at once, beside uploads: a real API process on a month of counters."""

import asyncio
import random
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import psutil
import pytest
from confluent_kafka import Producer
from sinks import Script, made
from traffic import two_arms

from producer_api.experiments.log import ExperimentLog
from schemas.counters import ALL, CAMERAS_KEY, EDGES, arm_scope, bucket_key, camera_scope
from schemas.labels import LABELS
from schemas.replay import Run
from schemas.topics import RUNS
from tests.producer_api.test_processes import Api

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(300)]

AT_ONCE = 30
TRIES = 8
CAMERAS = [f"camera-{number:02d}" for number in range(40)]
NOW = datetime.now(UTC)
MONTH = f"{NOW - timedelta(days=29):%Y-%m-%dT%H:%M:%SZ}"
DAY = f"{NOW - timedelta(hours=23):%Y-%m-%dT%H:%M:%SZ}"
ADDRESSES = [
    "/analytics",
    "/analytics/experiments/x",
    f"/analytics/experiments/x?from={MONTH}&camera=camera-01",
    "/analytics/drift",
    f"/analytics/drift?from={MONTH}",
    *(
        f"/analytics/series?metric={metric}"
        for metric in ("images", "latency", "label", "backlog", "accuracy", "drift")
    ),
    f"/analytics/series?metric=drift&step=minute&from={DAY}",
    f"/analytics/series?metric=backlog&step=minute&from={DAY}",
    f"/analytics/series?metric=latency&by=arm&from={MONTH}",
    "/analytics/series?metric=images&by=camera",
    "/experiments",
    "/experiments/x",
    "/runs",
    "/runs/run-3",
    "/models",
    "/metrics",
]


def bucket(images):
    """Fields of a busy bucket: every bin of every histogram."""
    chance = random.Random(images)
    bins = {f"{name}:{place}": chance.randint(1, images) for name in EDGES for place in range(len(EDGES[name]) - 1)}
    labels = {f"label:{label}": images // 10 for label in LABELS}
    feedback = {f"feedback:{shown}:{true}": 1 + images // 100 for shown in LABELS for true in LABELS[:3]}
    arms = {"arm:x:20:old": images // 2, "arm:x:20:new": images // 2}
    return {"images": images, "latency_ms": images * 90, "verdict:diagnosed": images} | bins | labels | feedback | arms


def fill(store):
    """A month of hours and a day of minutes for everything and both arms; a month of forty cameras."""
    seconds = int(time.time())
    scopes = [ALL, *(arm_scope("x", 20, arm) for arm in ("old", "new"))]
    hours = [("hour", seconds - 3600 * hour, scope) for hour in range(1, 719) for scope in scopes]
    minutes = [("minute", seconds - 60 * minute, scope) for minute in range(1, 1439) for scope in scopes]
    cameras = [("hour", seconds - 3600 * hour, camera_scope(one)) for hour in range(1, 168) for one in CAMERAS]
    pipeline = store.pipeline(transaction=False)
    busy, calm = bucket(100), dict.fromkeys(list(bucket(60))[::4], 1) | {"images": 60}
    for number, (step, at, scope) in enumerate([*hours, *minutes, *cameras]):
        pipeline.hset(bucket_key(step, at * 1000, scope), mapping=calm if scope.startswith("camera") else busy)
        if number % 1000 == 0:
            pipeline.execute()
    pipeline.zadd(CAMERAS_KEY, dict.fromkeys(CAMERAS, seconds * 1000))
    pipeline.execute()


@pytest.fixture
def api(topics, redis_server, store, models, tmp_path):
    fill(store)
    log = ExperimentLog(topics, 30)
    for version in range(1, 21):
        since = int((NOW - timedelta(days=30) + timedelta(minutes=version)).timestamp() * 1000)
        log.append(two_arms(0.3 + version / 100, version=version, since_ms=since))
    log.close()
    producer = Producer({"bootstrap.servers": topics})
    for number in range(20):
        fields = {"name": f"run-{number}", "topic_id": "t", "start": {0: 0}, "end": {0: 9}, "defined_at": NOW}
        run = Run.model_validate(fields)
        record = run.envelope()
        producer.produce(RUNS.name, record.value, record.key, headers=record.headers(), partition=0)
    assert producer.flush(30) == 0
    api = Api(topics, redis_server, tmp_path, LEAF_API_MODELS_DIR=str(models), LEAF_API_MAX_BACKLOG_SECONDS="600")
    api.start()
    yield api
    api.stop()


async def upload(client, jpeg, statuses):
    """Twenty a second."""
    beginning = time.monotonic()
    for number in range(10_000):
        await asyncio.sleep(max(0, beginning + number / 20 - time.monotonic()))
        statuses.append((await client.post("/predict", files={"file": jpeg})).status_code)


def count(redis_server, stop):
    """Twenty predictions a second, so that the bucket in progress never stands still."""
    script, number = Script(redis_server), 0
    while not stop.is_set():
        now = int(time.time() * 1000)
        script(made(number, experiment="x", experiment_version=20, answer_arm="old", source={"timestamp_ms": now}))
        number += 1
        time.sleep(0.05)
    script.close()


async def at_once(client, address):
    """Seconds each of thirty took, and their statuses."""

    async def one():
        began = time.monotonic()
        answer = await client.get(address)
        return time.monotonic() - began, answer.status_code

    took = await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    return sorted(seconds for seconds, _ in took), {status for _, status in took}


@contextmanager
def counting(redis_server):
    """Twenty predictions a second are counted meanwhile."""
    stop = threading.Event()
    writer = threading.Thread(target=count, args=(redis_server, stop))
    writer.start()
    yield
    stop.set()
    writer.join()


async def test_thirty_at_once_beside_twenty_uploads_a_second(api, jpeg, redis_server):
    """An address has several tries to answer 95 of 100 within 200 ms; a refusal in any of them counts.

    The machine is shared: where others leave this process too little of it, all thirty may not take more than 200 ms of
    CPU together, so that they would be answered in time.
    """
    uploads, slow, process = [], {}, psutil.Process(api.pid)
    limits = httpx.Limits(max_connections=AT_ONCE + 2, keepalive_expiry=2)
    with counting(redis_server):
        async with httpx.AsyncClient(base_url=api.url, limits=limits, timeout=60) as client:
            beside = asyncio.create_task(upload(client, jpeg, uploads))
            for address in ADDRESSES:
                await at_once(client, address)  # what nobody asked for yet is read once
                for _ in range(TRIES):
                    before = sum(process.cpu_times()[:2])
                    took, statuses = await at_once(client, address)
                    busy = sum(process.cpu_times()[:2]) - before
                    assert statuses == {200}, address
                    if min(p95 := took[int(0.95 * AT_ONCE)], busy) < 0.2:
                        break
                else:
                    slow[address] = p95, busy
            beside.cancel()
            await asyncio.wait([beside])
    assert slow == {}
    assert set(uploads) == {202}
