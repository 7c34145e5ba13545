import pytest
from PIL import Image

from producer_api.batches import intake
from schemas.image import ImageEvent
from tests.producer_api.conftest import encoded, sink

KEY = "0b9a1c34-7c1d-4f6c-9f0e-0123456789ab"


def files(*given):
    return [("file", (f"{number}.jpg", data)) for number, data in enumerate(given)]


@pytest.fixture(scope="module")
def photographs():
    return [encoded(Image.new("RGB", (64 + number, 64), (number * 20, 90, 40))) for number in range(5)]


async def test_each_photograph_gets_an_id_that_the_batch_opens(client, acceptance, redis, photographs):
    answer = await client.post("/predict/batch", files=files(*photographs))
    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["refused"] == []
    assert len(set(accepted["task_ids"])) == 5
    stored = [ImageEvent.read(one.key, one.value, one.headers()) for _, one in acceptance.accepted]
    assert {one.id: one.jpeg for one in stored} == dict(zip(accepted["task_ids"], photographs, strict=True))

    await sink(redis, accepted["task_ids"][1])
    progress = (await client.get(accepted["status_url"])).json()
    assert (progress["total"], progress["queued"], progress["done"], progress["failed"]) == (5, 4, 1, 0)
    assert [one["task_id"] for one in progress["results"]] == accepted["task_ids"]
    assert progress["results"][1]["label"] == "late_blight"
    assert (await client.get(f"/result/{accepted['task_ids'][1]}")).json()["status"] == "done"


async def test_a_bad_file_leaves_the_rest_alone(client, acceptance, photographs):
    answer = await client.post("/predict/batch", files=files(photographs[0], b"no image", photographs[1]))
    assert answer.status_code == 202
    assert len(answer.json()["task_ids"]) == len(acceptance.accepted) == 2
    assert answer.json()["refused"][0]["filename"] == "1.jpg"
    assert answer.json()["refused"][0]["remedy"]


async def test_a_retry_gets_the_same_ids(client, photographs):
    first, second = [
        (await client.post("/predict/batch", files=files(*photographs), headers={"Idempotency-Key": KEY})).json()
        for _ in range(2)
    ]
    assert first == second


@pytest.mark.parametrize("given", [[], [("other", b"x")], files(b"no image")])
async def test_a_batch_without_photographs_is_refused(client, given):
    answer = await client.post("/predict/batch", files=given or {"camera": (None, b"cam")})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:leaf:problem:empty-batch"


async def test_more_than_fit_are_refused(client, photographs, monkeypatch):
    monkeypatch.setattr(intake, "MAX_MEMBERS", 3)
    answer = await client.post("/predict/batch", files=files(*photographs))
    assert answer.status_code == 422
    assert "at most 3" in answer.json()["detail"]


async def test_the_broker_away_is_not_confirmed(client, acceptance, photographs):
    acceptance.away = True
    assert (await client.post("/predict/batch", files=files(*photographs))).status_code == 503


async def test_a_task_id_is_no_batch_id(client, ids):
    assert (await client.get(f"/batch/{ids.new()}")).status_code == 404
    assert (await client.get("/batch/nonsense")).status_code == 404


async def test_refused_files_count_too(client, photographs, monkeypatch):
    monkeypatch.setattr(intake, "MAX_MEMBERS", 3)
    answer = await client.post("/predict/batch", files=files(photographs[0], *[b"no image"] * 3))
    assert answer.status_code == 422
    assert "at most 3" in answer.json()["detail"]
