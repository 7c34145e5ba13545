import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import chain

import pytest

from producer_api.cameras.log import PAGE, CameraLog
from producer_api.results import store
from schemas.counters import CAMERAS_KEY, CLAIMED_CAMERAS_KEY, camera_results_key, claimed_results_key
from schemas.result import SHOWN_FIELD, Result, result_key
from tests.producer_api.conftest import ADMIN_KEY, sink
from tests.support.examples import answer

ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}
NOW_MS = int(time.time() * 1000)


@pytest.fixture(autouse=True)
def cameras(services, redis):
    services.cameras = CameraLog(redis, services.store)


async def frame(redis, camera, number, ms, label="late_blight", **changes):
    image_id = f"frame-{camera}-{number:06d}"
    await sink(redis, image_id, camera=camera, answer=answer(label=label), **changes)
    await redis.zadd(camera_results_key(camera), {image_id: ms})
    if not changes:
        await redis.zadd(CAMERAS_KEY, {camera: ms}, gt=True)
    return image_id


def moment(ms):
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


@pytest.mark.parametrize("path", ["/cameras", "/cameras/north/results"])
async def test_needs_the_key(client, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        refused = await client.get(path, headers=headers)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert (await client.get(path, headers=ADMIN)).status_code == 200


async def test_tells_rate_and_silence(client, redis):
    for number in range(30):
        await frame(redis, "north", number, NOW_MS - number * 1000)
    await frame(redis, "south", 0, NOW_MS - 3600_000)
    north, south = (await client.get("/cameras", headers=ADMIN)).json()["cameras"]
    assert (north["camera"], north["frames_per_minute"], north["silent_since"]) == ("north", 3.0, None)
    assert south["frames_per_minute"] == 0
    assert south["silent_since"] == south["last_frame_at"]
    assert datetime.fromisoformat(south["silent_since"]).timestamp() == pytest.approx((NOW_MS - 3600_000) / 1000)


async def claim(redis, camera, number, ms):
    """An upload under a camera's name, as the sink writes it."""
    image_id = await frame(redis, camera, number, ms, unauthenticated=True)
    await redis.zadd(claimed_results_key(camera), {image_id: ms})
    await redis.zadd(CLAIMED_CAMERAS_KEY, {camera: ms}, gt=True)


async def test_uploads_under_a_cameras_name_move_nothing_of_it(client, redis):
    await frame(redis, "north", 0, NOW_MS - 3600_000)
    before = (await client.get("/cameras", headers=ADMIN)).json()["cameras"][0]
    for number in range(20):
        await claim(redis, "north", 100 + number, NOW_MS - number)
    await claim(redis, "nowhere", 0, NOW_MS)
    north, nowhere = (await client.get("/cameras", headers=ADMIN)).json()["cameras"]
    apart = {"last_unauthenticated_at", "unauthenticated_per_minute"}
    assert {k: v for k, v in north.items() if k not in apart} == {k: v for k, v in before.items() if k not in apart}
    assert north["unauthenticated_per_minute"] == 2
    assert (nowhere["camera"], nowhere["last_frame_at"], nowhere["silent_since"]) == ("nowhere", None, None)
    found = (await client.get("/cameras/north/results", headers=ADMIN)).json()["results"]
    assert [result["unauthenticated"] for result in found] == [True] * 20 + [False]


async def test_made_up_names_do_not_fill_the_list(client, redis):
    await frame(redis, "north", 0, NOW_MS)
    for number in range(150):
        await claim(redis, f"made-up-{number}", number, NOW_MS + number)
    found = [one["camera"] for one in (await client.get("/cameras", headers=ADMIN)).json()["cameras"]]
    assert found == ["north", *(f"made-up-{number}" for number in range(149, 49, -1))]


async def test_pages_through_everything_once_newest_first(client, redis):
    written = [await frame(redis, "north", number, NOW_MS - number // 130) for number in range(450)]
    read, cursor = [], None
    while True:
        page = (
            await client.get("/cameras/north/results", params={"cursor": cursor} if cursor else {}, headers=ADMIN)
        ).json()
        read += [result["task_id"] for result in page["results"]]
        if (cursor := page["cursor"]) is None:
            break
    assert len(read) == 450
    assert set(read) == set(written)


async def test_chooses_by_time_and_label(client, redis):
    for number in range(300):
        await frame(redis, "north", number, NOW_MS - number * 1000, "healthy" if number % 10 else "late_blight")

    async def found(**params):
        return (await client.get("/cameras/north/results", params=params, headers=ADMIN)).json()["results"]

    assert len(await found(label="late_blight")) == 30
    inside = await found(**{"from": moment(NOW_MS - 20_000), "to": moment(NOW_MS - 10_000)})
    assert [result["task_id"][-6:] for result in inside] == [f"{number:06d}" for number in range(11, 21)]


@pytest.mark.parametrize(
    "params", [{"cursor": "x"}, {"from": "yesterday"}, {"label": "rust"}, {"to": "2026-01-01T00:00:00"}]
)
async def test_malformed_questions_are_refused(client, params):
    assert (await client.get("/cameras/north/results", params=params, headers=ADMIN)).status_code == 422


async def test_a_camera_nobody_heard_of_has_no_results(client):
    assert (await client.get("/cameras/unheard/results", headers=ADMIN)).json() == {"results": [], "cursor": None}


async def pages(client, path, **params):
    """Every page of a listing, newest first."""
    cursor = None
    while True:
        page = await client.get(path, params=params | ({"cursor": cursor} if cursor else {}), headers=ADMIN)
        yield page.json()
        if (cursor := page.json()["cursor"]) is None:
            return


async def test_many_cameras_come_in_pages(client, redis):
    await redis.zadd(CAMERAS_KEY, {f"camera-{number:03d}": NOW_MS - number // 3 for number in range(2 * PAGE + 50)})
    found = [[one["camera"] for one in page["cameras"]] async for page in pages(client, "/cameras")]
    assert [len(page) for page in found] == [PAGE, PAGE, 50]
    assert sorted(chain(*found)) == [f"camera-{number:03d}" for number in range(2 * PAGE + 50)]


async def test_names_that_only_clients_gave_come_on_the_last_page_once(client, redis):
    known = [f"camera-{number:03d}" for number in range(PAGE + 50)]
    await redis.zadd(CAMERAS_KEY, {name: NOW_MS - number for number, name in enumerate(known)})
    await redis.zadd(CLAIMED_CAMERAS_KEY, dict.fromkeys(("camera-000", "camera-149", "made-up"), NOW_MS))
    first, last = [page["cameras"] async for page in pages(client, "/cameras")]
    assert [one["camera"] for one in first + last] == [*known, "made-up"]
    claimed = [one["camera"] for one in first + last if one["last_unauthenticated_at"]]
    assert claimed == ["camera-000", "camera-149", "made-up"]


async def test_a_rare_label_costs_only_the_results_that_may_have_it(client, redis, monkeypatch):
    for number in range(600):
        label = "late_blight" if number % 200 == 0 else "healthy"
        image_id = await frame(redis, "north", number, NOW_MS - number, label)
        shown = {200: "not_tomato_leaf", 400: "other_tomato_problem"}.get(number, label)
        await redis.hset(result_key(image_id), SHOWN_FIELD, shown)
    parsed, of = [], Result.of
    monkeypatch.setattr(store.Result, "of", lambda *given: parsed.append(1) or of(*given))
    found = [page["results"] async for page in pages(client, "/cameras/north/results", label="late_blight")]
    assert [result["task_id"][-3:] for result in chain(*found)] == ["000", "200", "400"]
    assert len(parsed) == 3


async def test_many_results_leave_the_loop_to_others_in_between(services, redis, monkeypatch):
    ids = [await frame(redis, "north", number, NOW_MS - number) for number in range(200)]
    turn, parsed, of = 0, Counter(), Result.of

    async def another():
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(store.Result, "of", lambda *given: parsed.update([turn]) or of(*given))
    beside = asyncio.create_task(another())
    assert len(await services.store.read_many(ids)) == 200
    beside.cancel()
    assert max(parsed.values()) <= store.PER_TURN
