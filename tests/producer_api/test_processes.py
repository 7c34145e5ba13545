"""Several API processes side by side, with the real broker, the real Redis and the real sink."""

import asyncio
import json
import os
import signal
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from mutations import mutated
from PIL import Image
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from ops.broker import Broker
from ops.ports import free_port
from ops.process import Process
from ops.redis import RedisServer
from ops.settings import TopicSettings
from ops.topics import create_topics
from schemas.image import ImageEvent
from schemas.prediction import Source
from schemas.topics import IMAGES, PARTITIONER, PREDICTIONS, WORKER_GROUP
from tests.producer_api.conftest import encoded
from tests.support.examples import prediction

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[2]
KEY = "0b9a1c34-7c1d-4f6c-9f0e-0123456789ab"
PUBLISH_SECONDS = 2


class Api(Process):
    """`python -m producer_api` on a free port."""

    def __init__(self, kafka: str, redis: str, var: Path, **more: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        env = {"KAFKA": kafka, "REDIS": redis, "LEAF_VAR": str(var), "LEAF_API_PORT": str(port)}
        env |= {"LEAF_API_PUBLISH_SECONDS": str(PUBLISH_SECONDS), "LEAF_API_SAMPLE_SECONDS": "0.5"}
        command = [sys.executable, "-m", "producer_api"]
        super().__init__(f"api {port}", command, log=var / f"{port}.log", env=env | more, cwd=ROOT, ready=self._ready)

    def launch(self) -> None:
        self.client = httpx.Client(base_url=self.url, timeout=40)
        super().launch()

    def kill(self) -> None:
        super().kill()
        self.client.close()

    def _ready(self) -> bool:
        try:
            return self.client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def upload(self, photograph: bytes, **headers: str) -> httpx.Response:
        return self.client.post("/predict", files={"file": photograph}, headers=headers)

    def accepted(self, photograph: bytes, **headers: str) -> str:
        """Upload until it is accepted, as after an outage."""
        while (answer := self.upload(photograph, **headers)).status_code != 202:
            assert answer.status_code == 503, answer.text
            time.sleep(0.2)
        return str(answer.json()["task_id"])

    def result(self, task_id: str, wait: float = 0) -> httpx.Response:
        return self.client.get(f"/result/{task_id}", params={"wait": wait})


@pytest.fixture(scope="module")
def addresses(kafka: str, redis_server: str) -> tuple[str, str]:
    create_topics(TopicSettings(kafka=kafka, redis=redis_server), experiment=False)
    return kafka, redis_server


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("var")


@pytest.fixture(scope="module")
def apis(addresses: tuple[str, str], var: Path) -> Iterator[tuple[Api, Api]]:
    with ExitStack() as stack:
        made = tuple(Api(*addresses, var) for _ in range(2))
        for one in made:
            one.launch()
            stack.callback(one.stop)
        for one in made:
            one.wait_ready()
        yield made


@pytest.fixture(scope="module")
def sink(addresses: tuple[str, str], var: Path) -> Iterator[Process]:
    env = {"KAFKA": addresses[0], "REDIS": addresses[1], "LEAF_VAR": str(var)}
    process = Process("sink", [sys.executable, "-m", "result_sink"], log=var / "sink.log", env=env, cwd=ROOT)
    process.start()
    yield process
    process.stop()


@retry(retry=retry_if_exception_type(KafkaException), stop=stop_after_delay(30), wait=wait_fixed(0.5))
def stored(kafka: str) -> dict[str, tuple[ImageEvent, Source]]:
    """Every image event in the topic, with where it stands; duplicates fail."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "test", "enable.auto.commit": False})
    try:
        partitions = [TopicPartition(IMAGES.name, number, 0) for number in range(12)]
        left = {part.partition: consumer.get_watermark_offsets(part, timeout=10)[1] for part in partitions}
        consumer.assign(partitions)
        found = {}
        for _ in range(sum(left.values())):
            message = consumer.poll(10)
            assert message
            assert not message.error()
            event = ImageEvent.read(message.key(), message.value(), message.headers())
            found[event.id] = (
                event,
                Source(
                    topic=message.topic(),
                    topic_id="t1",
                    partition=message.partition(),
                    offset=message.offset(),
                    timestamp_ms=message.timestamp()[1],
                ),
            )
        return found
    finally:
        consumer.close()


def predict(kafka: str, task_id: str) -> None:
    """Say what a worker would."""
    event, source = stored(kafka)[task_id]
    envelope = prediction(image_id=task_id, source=source, camera=None).envelope(event.key)
    producer = Producer({"bootstrap.servers": kafka, "partitioner": PARTITIONER})
    producer.produce(PREDICTIONS.name, envelope.value, envelope.key, source.partition, headers=envelope.headers())
    assert producer.flush(10) == 0


@pytest.mark.usefixtures("sink")
def test_uploaded_through_one_polled_and_streamed_through_the_other(apis, kafka, jpeg):
    one, other = apis
    task_id = one.accepted(jpeg)
    assert other.result(task_id).json()["status"] == "queued"
    with other.client.stream("GET", f"/result/{task_id}/events") as events:
        lines = events.iter_lines()
        assert next(line for line in lines if line.startswith("event")) == "event: queued"
        predict(kafka, task_id)
        rest = [line for line in lines if line.startswith(("event", "data"))]  # until the stream ends
    assert rest[1] == "event: done"
    assert json.loads(rest[2].removeprefix("data: "))["label"] == "late_blight"
    assert other.result(task_id, wait=5).json()["status"] == "done"
    assert one.result(task_id).json() == other.result(task_id).json()


@pytest.mark.usefixtures("sink")
async def test_a_long_poll_is_woken_by_the_sink_and_not_by_its_own_slow_poll(apis, kafka, jpeg):
    one, other = apis
    slow = []
    for _ in range(3):
        task_id = one.accepted(jpeg)
        waiting = asyncio.create_task(asyncio.to_thread(other.result, task_id, 20))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(predict, kafka, task_id)
        sent = time.monotonic()
        assert (await waiting).json()["status"] == "done"
        slow.append(time.monotonic() - sent)
    assert min(slow) < 1  # the poll alone would take up to 2 s


def test_a_retry_through_the_other_process_gets_the_same_id(apis, jpeg):
    one, other = apis
    headers = {"Idempotency-Key": KEY, "X-Uploader": "me"}
    assert one.accepted(jpeg, **headers) == other.accepted(jpeg, **headers)


def test_what_was_accepted_is_in_the_log(apis, kafka, jpeg):
    ids = {one.accepted(jpeg) for one in apis for _ in range(20)}
    found = stored(kafka)
    assert ids <= found.keys()
    assert all(found[task_id][0].jpeg == jpeg for task_id in ids)


def test_redis_away_stops_results_only(apis, redis_process: RedisServer, jpeg):
    one, _ = apis
    task_id = one.accepted(jpeg)
    redis_process.kill()
    try:
        assert one.upload(jpeg).status_code == 202
        answer = one.result(task_id)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        assert answer.json()["type"] == "urn:leaf:problem:store-unavailable"
        assert one.client.get("/readyz").json() == {"uploads": True, "results": False}
    finally:
        redis_process.start()
    assert one.result(task_id).status_code == 200


def test_the_broker_away_is_not_confirmed_and_ends_nothing(apis, kafka, broker: Broker, jpeg):
    one, other = apis
    broker.kill()
    try:
        for _ in range(2):
            began = time.monotonic()
            answer = one.upload(jpeg)
            assert answer.status_code == 503
            assert "not confirmed" in answer.json()["detail"]
            assert answer.headers["retry-after"]
            assert time.monotonic() - began < PUBLISH_SECONDS + 1
        assert one.client.get("/healthz").is_success
    finally:
        broker.start()
    assert one.alive()
    ids = {one.accepted(jpeg), other.accepted(jpeg)}
    assert ids <= stored(kafka).keys()
    assert len(one.log.read_text().splitlines()) < 60, one.log.read_text()


def test_told_to_stop_it_lets_its_clients_go_at_once(addresses, var, jpeg):
    api = Api(*addresses, var)
    api.start()
    try:
        task_id = api.accepted(jpeg)
        with api.client.stream("GET", f"/result/{task_id}/events") as events:
            lines = events.iter_lines()
            next(line for line in lines if line.startswith("event"))
            assert api.pid
            os.kill(api.pid, signal.SIGTERM)
            began = time.monotonic()
            list(lines)
        while api.alive():
            time.sleep(0.05)
        assert time.monotonic() - began < 8
    finally:
        api.stop()


def bombs() -> list[bytes]:
    """Files near the size limit that cost much for each of their bytes."""
    segments = b"\xff\xd8" + b"\xff\xfe\0\2" * 2_500_000
    tables = b"\xff\xd8" + b"\xff\xdb\0\2" * 2_500_000
    stuffed = encoded(Image.new("RGB", (64, 64)))[:-2] + b"\xff\0" * 5_000_000 + b"\xff\xd9"
    png = encoded(Image.new("RGB", (64, 64)), "PNG")
    chunks = png[:33] + (b"\0\0\0\0tEXt" + zlib.crc32(b"tEXt").to_bytes(4)) * 800_000 + png[33:]
    return [segments, tables, stuffed, chunks] * 3


def loop_seconds(api: Api) -> float:
    """CPU time of the thread in which the event loop runs."""
    assert api.pid
    fields = Path(f"/proc/{api.pid}/task/{api.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
def test_health_is_answered_while_damaged_files_and_bombs_arrive(addresses, var):
    """A slow answer counts where the event loop itself worked meanwhile: the machine is busy with other things too.

    An idle process says how long an answer takes on this machine just then.
    """
    apis = [Api(*addresses, var, LEAF_API_MAX_BACKLOG_SECONDS="1e6") for _ in range(2)]
    loaded, idle = apis
    files = iter([data for _, data in mutated(400)] + bombs() + [data for _, data in mutated(400, seed=20)])
    taking, statuses, seconds = threading.Lock(), Counter[int](), {api: list[float]() for api in apis}
    blocked = list[float]()

    def upload() -> None:
        while True:
            with taking:
                data = next(files, None)
            if data is None:
                return
            key = {"Idempotency-Key": "0123456789abcdef"}  # the bytes are hashed too
            statuses[loaded.upload(data, **key).status_code] += 1

    with ExitStack() as stack:
        for api in apis:
            api.start()
            stack.callback(api.stop)
        pool = stack.enter_context(ThreadPoolExecutor(3))
        uploads = [pool.submit(upload) for _ in range(3)]
        with httpx.Client(timeout=30) as client:
            while not all(done.done() for done in uploads):
                for api in apis:
                    began, worked = time.monotonic(), loop_seconds(api)
                    assert client.get(f"{api.url}/healthz").is_success
                    seconds[api].append(time.monotonic() - began)
                    if api is loaded:
                        blocked.append(min(seconds[api][-1], loop_seconds(api) - worked))
                time.sleep(0.005)
        for done in uploads:
            done.result()
    assert statuses.keys() <= {202, 413, 415, 422}, statuses
    assert statuses[413] >= 9
    assert sorted(blocked)[len(blocked) * 99 // 100] <= 0.05
    assert max(seconds[loaded]) <= 2 + 2 * max(seconds[idle])


def test_uploads_are_refused_while_the_workers_are_too_far_behind(addresses, var, jpeg):
    kafka, _ = addresses
    api = Api(*addresses, var, LEAF_API_MAX_BACKLOG_SECONDS="3")
    api.start()
    try:
        workers = Consumer({"bootstrap.servers": kafka, "group.id": WORKER_GROUP, "enable.auto.commit": False})
        commit_all(workers)
        api.accepted(jpeg)
        began = time.monotonic()
        while (answer := api.upload(jpeg)).status_code == 202:
            time.sleep(0.2)
        assert answer.json()["type"] == "urn:leaf:problem:backlog"
        assert 2.5 < time.monotonic() - began < 8
        assert int(answer.headers["retry-after"]) > 2
        commit_all(workers)
        workers.close()
        api.accepted(jpeg)
    finally:
        api.stop()


def test_a_backlog_from_before_the_start_counts(addresses, var, jpeg):
    kafka, _ = addresses
    workers = Consumer({"bootstrap.servers": kafka, "group.id": WORKER_GROUP, "enable.auto.commit": False})
    commit_all(workers)
    api = Api(*addresses, var, LEAF_API_MAX_BACKLOG_SECONDS="3")
    api.start()
    api.accepted(jpeg)
    api.stop()
    time.sleep(4)
    api.start()
    try:
        began = time.monotonic()
        while api.upload(jpeg).status_code == 202:
            assert time.monotonic() - began < 2
            time.sleep(0.1)
    finally:
        api.stop()
        commit_all(workers)
        workers.close()


def commit_all(workers: Consumer) -> None:
    """Behave as workers that have processed everything."""
    ends = []
    for number in range(12):
        partition = TopicPartition(IMAGES.name, number)
        ends.append(TopicPartition(IMAGES.name, number, workers.get_watermark_offsets(partition, timeout=10)[1]))
    workers.commit(offsets=ends, asynchronous=False)


def test_several_processes_share_one_port_and_one_set_of_metrics(addresses, var, jpeg):
    api = Api(*addresses, var, LEAF_API_PROCESSES="2")
    api.start()
    try:
        for _ in range(10):
            with httpx.Client(base_url=api.url) as fresh:
                assert fresh.post("/predict", files={"file": jpeg}).status_code in {202, 503}
        told = api.client.get("/metrics").text
        accepted = next(line for line in told.splitlines() if line.startswith("leaf_api_confirm_seconds_count"))
        assert float(accepted.split()[1]) >= 8
    finally:
        api.stop()
