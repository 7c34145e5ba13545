import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import Producer
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from producer_api import problems
from producer_api.app import create_app
from producer_api.metrics import SKIPPED
from producer_api.runs import log
from producer_api.runs.endpoints import router
from producer_api.runs.log import RunLog
from producer_api.settings import ApiSettings
from schemas.replay import Run, Tally
from schemas.topics import IMAGES, RUNS
from tests.producer_api.conftest import ADMIN_KEY


@asynccontextmanager
async def served(kafka, seconds=30):
    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    runs = RunLog(kafka, seconds)
    app.state.services = SimpleNamespace(runs=runs, settings=ApiSettings(admin_key=ADMIN_KEY))
    runs.start()
    async with AsyncClient(transport=ASGITransport(app), base_url="http://api") as client:
        yield client
    await runs.stop()


async def until_told(client, holds):
    """The runs once they are so; their offsets are read in the background."""
    while not holds(found := (await client.get("/runs")).json()["runs"]):  # noqa: ASYNC110  the broker is waited for
        await asyncio.sleep(0.05)
    return found


def run(name, day, **changes):
    fields = {"name": name, "topic_id": "t", "start": {0: 10, 1: 5}, "end": {0: 20, 1: 5}}
    return Run.model_validate(fields | {"defined_at": f"2026-11-{day}T12:00:00Z"} | changes)


def define(kafka, *runs):
    producer = Producer({"bootstrap.servers": kafka})
    for each in runs:
        record = each.envelope()
        producer.produce(RUNS.name, record.value, record.key, headers=record.headers(), partition=0)
    producer.produce(RUNS.name, b"noise", b"noise", partition=0)
    assert producer.flush(20) == 0


async def commit(kafka, group, offset, tally):
    """As a worker of the run does."""
    async with AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False) as consumer:
        place = TopicPartition(IMAGES.name, 0)
        consumer.assign([place])
        await consumer.commit({place: OffsetAndMetadata(offset, tally.metadata())})


@pytest.mark.broker
async def test_runs_and_how_far_they_are(topics):
    skipped = SKIPPED.labels(RUNS.name)._value
    before = skipped.get()
    async with served(topics) as client:
        assert (await client.get("/runs")).json() == {"runs": []}
        define(topics, run("old", 20), run("new", 21, model="flat@2", cameras=("roof",)), run("old", 22, model="x@1"))
        await commit(topics, "leaf-replay-new", 16, Tally(answered=4, failed=2))
        await commit(topics, "leaf-replay-old", 20, Tally(answered=10))
        new, old = await until_told(client, lambda found: [run["passed"] for run in found] == [6, 10])
        assert (new["name"], new["model"], new["cameras"]) == ("new", "flat@2", ["camera 1"])
        admin = {"Authorization": f"Bearer {ADMIN_KEY}"}
        assert (await client.get("/runs", headers=admin)).json()["runs"][0]["cameras"] == ["roof"]
        assert (new["length"], new["passed"], new["answered"], new["failed"], new["finished"]) == (10, 6, 4, 2, False)
        assert (old["model"], old["passed"], old["finished"]) == (None, 10, True)
        assert (await client.get("/runs/new")).json() == new
        assert skipped.get() == before + 1
        missing = await client.get("/runs/other")
        assert (missing.status_code, missing.json()["type"]) == (404, "urn:leaf:problem:unknown-run")
        assert missing.json()["remedy"] == "There are new, old."


@pytest.mark.broker
async def test_thirty_at_once_make_no_client_and_wait_for_no_broker(topics, monkeypatch):
    define(topics, run("one", 20), run("two", 21, end={0: 10, 1: 5}))
    await commit(topics, "leaf-replay-one", 20, Tally(answered=10))
    asked, list_offsets = [], log.RunLog._request
    monkeypatch.setattr(log.RunLog, "_request", lambda *given: asked.append(given[2].name) or list_offsets(*given))
    async with served(topics) as client:
        await until_told(client, lambda found: [run["finished"] for run in found] == [True, True])
        monkeypatch.setattr(log, "AdminClient", None)
        answers = await asyncio.gather(*(client.get(path) for path in ["/runs", "/runs/one"] * 15))
        assert {answer.status_code for answer in answers} == {200}
        before = list(asked)
        await asyncio.sleep(2 * log.EVERY_SECONDS)
        assert asked == before  # finished runs are not asked for again
        assert set(asked) == {"one"}  # and one without images never


async def test_with_the_broker_away_it_says_so():
    async with served("127.0.0.1:1", 0.3) as client:
        assert (await client.get("/runs")).status_code == 503


def test_the_api_includes_them():
    assert {"/runs", "/runs/{name}"} <= create_app(ApiSettings()).openapi()["paths"].keys()
