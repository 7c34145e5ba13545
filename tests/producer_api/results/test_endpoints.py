import asyncio
import json
import struct
import threading
import time
from datetime import datetime

import anyio
import pytest
from httpx import ASGITransport, AsyncClient
from redis.exceptions import ConnectionError as RedisConnectionError

from schemas.errors import StoreUnavailableError
from schemas.prediction import Failure
from tests.producer_api.conftest import ADMIN_KEY, sink, until

ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}


def stream(text):
    blocks = [
        dict(line.split(": ", 1) for line in block.splitlines())
        for block in text.replace("\r", "").split("\n\n")
        if block
    ]
    return [(block["event"], block["id"], json.loads(block["data"])) for block in blocks if "event" in block]


async def test_queued_until_there_is_a_result(client, ids, redis):
    task_id = ids.new()
    answer = await client.get(f"/result/{task_id}")
    assert answer.status_code == 200
    assert answer.json()["task_id"] == task_id
    assert answer.json()["status"] == "queued"
    made = await sink(redis, task_id)
    found = (await client.get(f"/result/{task_id}")).json()
    assert found["status"] == "done"
    assert found["label"] == made.answer.label
    assert found["display_name"] == "Late blight"
    assert found["model"] == "resnet50"
    assert found["top3"][0]["label"] == "late_blight"
    assert found["heatmap"] == {"width": 2, "height": 1, "values": [0, 255]}
    queued_at, done_at = (datetime.fromisoformat(found[name]) for name in ("queued_at", "done_at"))
    assert (done_at - queued_at).total_seconds() == 0.25


async def test_a_failure_is_told(client, ids, redis):
    task_id = ids.new()
    await sink(redis, task_id, answer=None, failure=Failure(kind="unprocessable", error="no JPEG"))
    found = (await client.get(f"/result/{task_id}")).json()
    assert found["status"] == "failed"
    assert found["error"] == "no JPEG"


async def test_a_long_poll_returns_when_the_result_comes(client, ids, redis, services):
    task_id = ids.new()
    waiting = asyncio.create_task(client.get(f"/result/{task_id}", params={"wait": 20}))
    await until(lambda: services.notices._waiters)
    began = time.monotonic()
    await sink(redis, task_id)
    for event in services.notices._waiters[task_id]:
        event.set()
    assert (await waiting).json()["status"] == "done"
    assert time.monotonic() - began < 1


async def test_a_long_poll_ends_queued(client, ids):
    answer = await client.get(f"/result/{ids.new()}", params={"wait": 0.1})
    assert answer.json()["status"] == "queued"


async def test_a_long_poll_ends_when_the_process_stops(client, ids, services):
    waiting = asyncio.create_task(client.get(f"/result/{ids.new()}", params={"wait": 20}))
    await until(lambda: services.notices._waiters)
    services.notices.wake_all()
    assert (await asyncio.wait_for(waiting, 1)).json()["status"] == "queued"
    assert not services.notices._waiters


@pytest.mark.parametrize("wait", ["-1", "31", "soon"])
async def test_a_wait_out_of_bounds_is_refused(client, ids, wait):
    answer = await client.get(f"/result/{ids.new()}", params={"wait": wait})
    assert answer.status_code == 422
    assert "wait" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/result/nonsense", f"/result/{'A' * 32}", "/result/nonsense/events"])
async def test_malformed_and_forged_ids_are_unknown(client, path):
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:leaf:problem:unknown-task"


async def test_an_id_past_retention_is_gone_unless_its_result_is_still_there(client, ids, redis):
    old = ids.seal.sign(struct.pack(">BI11s", 1, int(time.time()) - 31 * 86400, b"x" * 11))
    for path in (f"/result/{old}", f"/result/{old}/events"):
        answer = await client.get(path)
        assert answer.status_code == 410
        assert answer.json()["remedy"]
    await sink(redis, old)
    assert (await client.get(f"/result/{old}")).status_code == 200


async def test_redis_away_is_503(client, ids, services, monkeypatch):
    def away(*_args, **_kwargs):
        raise RedisConnectionError

    monkeypatch.setattr(services.store._redis, "pipeline", away)
    answer = await client.get(f"/result/{ids.new()}")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["type"] == "urn:leaf:problem:store-unavailable"


async def test_the_stream_tells_queued_then_done_and_ends(client, ids, redis, services):
    task_id = ids.new()
    waiting = asyncio.create_task(client.get(f"/result/{task_id}/events"))
    await until(lambda: services.notices._waiters)
    await sink(redis, task_id)
    answer = await asyncio.wait_for(waiting, 5)
    assert answer.headers["content-type"].startswith("text/event-stream")
    (first, _, queued), (second, last, done) = stream(answer.text)
    assert (first, queued["status"], second, done["status"]) == ("queued", "queued", "done", "done")
    assert done["task_id"] == task_id
    assert (await client.get(f"/result/{task_id}/events", headers={"Last-Event-ID": last})).status_code == 204


async def test_the_stream_of_a_finished_task_is_one_event(client, ids, redis):
    task_id = ids.new()
    await sink(redis, task_id)
    assert [event for event, _, _ in stream((await client.get(f"/result/{task_id}/events")).text)] == ["done"]


@pytest.mark.parametrize("task_id", ["frame-0123456789abcdef", "position-topic-0-17"])
async def test_ids_that_anybody_can_work_out_need_the_key(client, redis, task_id):
    await sink(redis, task_id)
    assert (await client.get(f"/result/{task_id}")).status_code == 401
    assert (await client.get(f"/result/{task_id}", headers={"Authorization": "Bearer wrong"})).status_code == 401
    assert (await client.get(f"/result/{task_id}", headers=ADMIN)).json()["status"] == "done"
    assert (await client.get("/result/frame-other", headers=ADMIN)).status_code == 404


async def test_results_are_told_while_every_thread_is_taken(app, client, ids):
    free, taken = threading.Event(), threading.Semaphore(0)

    def wait() -> None:
        taken.release()
        free.wait(20)

    busy = [asyncio.create_task(anyio.to_thread.run_sync(wait)) for _ in range(45)]
    await until(lambda: taken._value >= 40)
    try:
        for path in (f"/result/{ids.new()}", f"/result/{ids.new()}?wait=0.1"):
            assert (await asyncio.wait_for(client.get(path), 5)).status_code == 200
    finally:
        free.set()
        await asyncio.gather(*busy)


async def test_a_stream_ends_quietly_when_redis_goes_away(app, ids, services, monkeypatch):
    async def away(*_args):
        raise StoreUnavailableError("Redis does not answer")

    async with AsyncClient(transport=ASGITransport(app), base_url="http://api") as client:  # raises what escapes
        waiting = asyncio.create_task(client.get(f"/result/{ids.new()}/events"))
        await until(lambda: services.notices._waiters)
        monkeypatch.setattr(services.store, "read", away)
        for (event,) in services.notices._waiters.values():
            event.set()
        answer = await asyncio.wait_for(waiting, 5)
    assert [event for event, _, _ in stream(answer.text)] == ["queued"]


async def test_an_id_has_one_spelling(client, ids):
    task_id = next(made for made in iter(ids.new, None) if "-" in made)
    other = task_id.replace("-", "+")
    assert (await client.get(f"/result/{other}")).status_code == 404
    assert (await client.post(f"/result/{other}/feedback", json={"label": "healthy"})).status_code == 404
