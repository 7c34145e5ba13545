import asyncio
import json

import pytest
from PIL import Image

from producer_api.batches import intake
from producer_api.batches.batch_id import MAX_MEMBERS, BatchId
from producer_api.uploads.backlog import Backlog
from schemas.errors import BrokerUnavailableError, EventTooLargeError
from schemas.image import ImageEvent
from schemas.normalisation import MAX_UPLOAD_BYTES
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
    assert [one["status"] for one in accepted["files"]] == [202] * 5
    assert [one["task_id"] for one in accepted["files"]] == accepted["task_ids"]
    assert accepted["problem"] is None
    assert len(set(accepted["task_ids"])) == 5
    stored = [ImageEvent.read(one.key, one.value, one.headers()) for _, one in acceptance.accepted]
    assert {one.id: one.jpeg for one in stored} == dict(zip(accepted["task_ids"], photographs, strict=True))

    await sink(redis, accepted["task_ids"][1])
    progress = (await client.get(accepted["status_url"])).json()
    assert (progress["total"], progress["queued"], progress["done"], progress["failed"]) == (5, 4, 1, 0)
    assert [one["task_id"] for one in progress["results"]] == accepted["task_ids"]
    assert progress["results"][1]["label"] == "late_blight"
    assert (await client.get(f"/result/{accepted['task_ids'][1]}")).json()["status"] == "done"


def outcomes(answer):
    return [(one["filename"], one["status"]) for one in answer.json()["files"]]


def stored(acceptance):
    return [envelope.id for _, envelope in acceptance.accepted]


LARGE = b"x" * (MAX_UPLOAD_BYTES + 1)


async def test_each_file_has_an_outcome_of_its_own(client, acceptance, photographs):
    given = files(photographs[0], b"no image", photographs[1], LARGE, photographs[2][:-200], photographs[2])
    answer = await client.post("/predict/batch", files=[*given, ("photo", ("other.jpg", photographs[3]))])
    assert answer.status_code == 207
    expected = [202, 415, 202, 413, 422, 202, 422]
    assert outcomes(answer) == [*zip([name for _, (name, _) in given], expected, strict=False), ("other.jpg", 422)]
    assert answer.json()["task_ids"] == stored(acceptance)
    assert len(acceptance.accepted) == 3
    for one in answer.json()["files"]:
        assert (one["task_id"] in stored(acceptance)) is (one["status"] == 202)
        assert bool(one["reason"] and one["remedy"]) is (one["status"] != 202)
    progress = (await client.get(answer.json()["status_url"])).json()
    assert [one["task_id"] for one in progress["results"]] == stored(acceptance)


async def test_a_retry_gets_the_same_ids(client, photographs):
    first, second = [
        (await client.post("/predict/batch", files=files(*photographs), headers={"Idempotency-Key": KEY})).json()
        for _ in range(2)
    ]
    assert first == second


async def test_a_photograph_keeps_its_id_wherever_it_stands_and_no_other_gets_it(client, redis, photographs):
    headers = {"Idempotency-Key": KEY}
    first = (await client.post("/predict/batch", files=files(*photographs[:3]), headers=headers)).json()["task_ids"]
    for task_id in first:
        await sink(redis, task_id)
    given = files(photographs[3], photographs[2], b"no image", photographs[0], photographs[4])
    second = (await client.post("/predict/batch", files=given, headers=headers)).json()
    assert second["task_ids"][1:3] == [first[2], first[0]]
    assert not {second["task_ids"][0], second["task_ids"][3]} & set(first)
    progress = (await client.get(second["status_url"])).json()
    assert [one["status"] for one in progress["results"]] == ["queued", "done", "done", "queued"]


async def test_other_uploaders_and_keys_get_other_ids(client, photographs):
    found = [
        (await client.post("/predict/batch", files=files(photographs[0]), headers=headers)).json()["task_ids"][0]
        for headers in ({"Idempotency-Key": KEY, "X-Uploader": "me"}, {"Idempotency-Key": KEY}, {}, {})
    ]
    assert len(set(found)) == 4


async def test_the_same_photograph_twice_is_one_task(client, acceptance, photographs):
    answer = await client.post("/predict/batch", files=files(photographs[0], photographs[1], photographs[0]))
    assert answer.status_code == 202
    first, second, third = (one["task_id"] for one in answer.json()["files"])
    assert first == third
    assert stored(acceptance) == answer.json()["task_ids"] == [first, second]


async def test_a_full_batch_has_an_id_that_a_proxy_passes_on(client, monkeypatch, services, photographs):
    tags = [bytes([number % 256, number // 256, 0, 0, 0, 0]) for number in range(MAX_MEMBERS)]
    text = BatchId.new(services.task_ids, None, None).of(tags).text(services.task_ids)
    assert len(text) < 4096
    progress = (await client.get(f"/batch/{text}")).json()
    assert progress["total"] == progress["queued"] == MAX_MEMBERS


@pytest.mark.parametrize("given", [[], [("other", b"x")], files(b"no image")])
async def test_a_batch_without_photographs_is_refused(client, given):
    answer = await client.post("/predict/batch", files=given or {"camera": (None, b"cam")})
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:leaf:problem:empty-batch"
    assert len(answer.json()["files"]) == len(given)


async def test_files_beyond_the_most_are_named_and_those_before_stored(client, acceptance, photographs, monkeypatch):
    monkeypatch.setattr(intake, "MAX_MEMBERS", 2)
    answer = await client.post("/predict/batch", files=files(*photographs, b"a", b"b", b"c"))
    assert answer.status_code == 207
    assert [status for _, status in outcomes(answer)] == [202, 202, 422, 422]
    assert "at most 2" in answer.json()["files"][2]["reason"]
    assert answer.json()["uncounted"] == 4
    assert len(acceptance.accepted) == 2


async def test_the_broker_away_is_not_confirmed(client, acceptance, photographs):
    acceptance.away = True
    answer = await client.post("/predict/batch", files=files(*photographs, b"no image"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert [status for _, status in outcomes(answer)] == [*[503] * 5, 415]
    assert all(one["task_id"] for one in answer.json()["files"][:5])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BrokerUnavailableError("away", "Again."), 503),
        (EventTooLargeError("leaf.images", 9, 5), 413),
        (KeyError(), 500),
    ],
)
async def test_one_that_is_not_stored_costs_no_other(client, acceptance, photographs, monkeypatch, error, status):
    accept = acceptance.accept

    async def fails_once(topic, envelope):
        await asyncio.sleep(0.01 if acceptance.accepted else 0)
        if envelope.value == photographs[1]:
            raise error
        await accept(topic, envelope)

    monkeypatch.setattr(acceptance, "accept", fails_once)
    answer = await client.post("/predict/batch", files=files(*photographs))
    assert answer.status_code == 207
    assert [one for _, one in outcomes(answer)] == [202, status, 202, 202, 202]
    assert sorted(stored(acceptance)) == sorted(answer.json()["task_ids"])


def form(*parts, end=b"--B--\r\n"):
    body = b"".join(
        b'--B\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
        % (name.encode(), b'; filename="x.jpg"' if name == "file" else b"", data)
        for name, data in parts
    )
    return {"content": body + end, "headers": {"Content-Type": "multipart/form-data; boundary=B"}}


@pytest.mark.parametrize(
    ("end", "complete"),
    [
        (b"", 1),
        (b"--B\r\nContent-Type: image/jpeg\r\n\r\n\r\n--B--", 2),
        (b'--B\r\nContent-Disposition: form-data; name="camera"\r\n\r\n\xff\r\n--B--', 2),
    ],
)
async def test_a_body_that_goes_wrong_later_does_not_hide_what_is_stored(
    client, acceptance, photographs, end, complete
):
    answer = await client.post("/predict/batch", **form(("file", photographs[0]), ("file", photographs[1]), end=end))
    assert answer.status_code == 207
    assert answer.json()["problem"]["status"] == 422
    assert answer.json()["task_ids"] == stored(acceptance)
    assert len(acceptance.accepted) == complete


async def test_a_body_longer_than_allowed_does_not_either(client, acceptance, photographs, monkeypatch):
    monkeypatch.setattr(intake, "MAX_BATCH_BYTES", 20_000)
    body = form(*[("file", photographs[0])], *[("x", b"x" * 1000)] * 30)

    async def chunks():
        for start in range(0, len(body["content"]), 1000):
            yield body["content"][start : start + 1000]

    answer = await client.post("/predict/batch", content=chunks(), headers=body["headers"])
    assert answer.status_code == 207
    assert answer.json()["problem"]["status"] == 413
    assert len(acceptance.accepted) == 1


async def test_a_client_that_stops_sending_hears_what_is_stored(app, services, acceptance, photographs):
    body = form(("file", photographs[0]), ("file", photographs[1]))["content"]
    messages, sent = [{"type": "http.request", "body": body[:-100], "more_body": True}], []

    async def receive():
        return messages.pop() if messages else await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    services.settings = services.settings.model_copy(update={"upload_seconds": 0.05})
    headers = [(b"content-type", b"multipart/form-data; boundary=B")]
    scope = {"type": "http", "method": "POST", "path": "/predict/batch", "query_string": b"", "headers": headers}
    await asyncio.wait_for(app(scope, receive, send), 5)
    assert sent[0]["status"] == 207
    assert json.loads(sent[1]["body"])["problem"]["status"] == 408
    assert json.loads(sent[1]["body"])["task_ids"] == stored(acceptance)


async def test_fields_belong_to_the_files_after_them(client, acceptance, photographs):
    when = b"2026-07-01T08:30:00Z"
    answer = await client.post(
        "/predict/batch",
        **form(
            ("file", photographs[0]),
            ("camera", b"one"),
            ("captured_at", when),
            ("file", photographs[1]),
            ("file", photographs[2]),
            ("camera", b"no name"),
            ("file", photographs[3]),
            ("camera", b"two"),
        ),
    )
    assert [status for _, status in outcomes(answer)] == [202, 202, 202, 422]
    assert "camera" in answer.json()["files"][3]["reason"]
    assert "'camera' came after the last file" in answer.json()["problem"]["detail"]
    found = [ImageEvent.read(one.key, one.value, one.headers()) for _, one in acceptance.accepted]
    assert [(event.camera, bool(event.captured_at)) for event in found] == [
        (None, False),
        ("one", True),
        ("one", False),
    ]


async def test_a_partition_that_is_behind_costs_its_own_photographs_only(client, services, acceptance, photographs):
    services.backpressure.backlog = Backlog(9, {0: 61, 1: 0}, moving=True)
    headers = {"Idempotency-Key": KEY}
    answer = await client.post("/predict/batch", files=files(*photographs), headers=headers)
    assert answer.status_code == 207
    assert {status for _, status in outcomes(answer)} == {202, 503}
    assert answer.headers["retry-after"]
    services.backpressure.backlog = Backlog(0, {0: 0, 1: 0})
    again = await client.post("/predict/batch", files=files(*photographs), headers=headers)
    assert again.status_code == 202
    assert set(stored(acceptance)) == set(again.json()["task_ids"])


async def test_a_task_id_is_no_batch_id(client, ids):
    assert (await client.get(f"/batch/{ids.new()}")).status_code == 404
    assert (await client.get("/batch/nonsense")).status_code == 404
    odd = ids.seal.sign(bytes([4]) + b"x" * 27)
    assert (await client.get(f"/batch/{odd}")).status_code == 404


async def test_thousands_of_tiny_parts_let_others_have_their_turn(client):
    turns, done = 0, asyncio.Event()

    async def other() -> None:
        nonlocal turns
        while not done.is_set():
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(other())
    await client.post("/predict/batch", **form(*[("x", b"y")] * 5000))  # in one chunk
    done.set()
    await beside
    assert turns > 50
