import asyncio

import pytest
from PIL import Image

from producer_api.uploads.backlog import Backlog
from producer_api.uploads.form import Form
from producer_api.uploads.partitioner import partition
from schemas.image import ImageEvent
from schemas.normalisation import MAX_UPLOAD_BYTES
from schemas.topics import IMAGES
from tests.producer_api.conftest import encoded

KEY = "0b9a1c34-7c1d-4f6c-9f0e-0123456789ab"


async def upload(client, data, headers=None, **fields):
    return await client.post("/predict", files={"file": ("leaf.jpg", data)}, data=fields, headers=headers or {})


def event(acceptance):
    topic, envelope = acceptance.accepted[-1]
    assert topic == IMAGES
    return ImageEvent.read(envelope.key, envelope.value, envelope.headers())


async def test_a_photograph_that_fits_is_stored_untouched(client, acceptance, ids, jpeg):
    answer = await upload(client, jpeg)
    assert answer.status_code == 202
    accepted = answer.json()
    assert accepted["status_url"] == answer.headers["location"] == f"/result/{accepted['task_id']}"
    assert accepted["events_url"] == f"/result/{accepted['task_id']}/events"
    assert ids.read(accepted["task_id"])
    stored = event(acceptance)
    assert stored.jpeg == jpeg
    assert stored.id == stored.key == accepted["task_id"]
    assert stored.source == "/uploads"
    assert not stored.unauthenticated
    assert stored.traceparent.startswith("00-")


async def test_fields_and_headers_travel_in_the_event(client, acceptance, jpeg):
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    answer = await upload(
        client,
        jpeg,
        {"X-Uploader": "somebody-random", "traceparent": trace},
        camera="greenhouse-2",
        captured_at="2026-07-01T08:30:00+02:00",
    )
    assert answer.status_code == 202
    stored = event(acceptance)
    assert stored.camera == stored.key == "greenhouse-2"
    assert stored.unauthenticated
    assert stored.captured_at.isoformat() == "2026-07-01T06:30:00+00:00"
    assert stored.traceparent == trace
    assert len(stored.uploader) == 32
    assert "somebody" not in stored.uploader


async def test_a_large_photograph_is_shrunk(client, acceptance):
    answer = await upload(client, encoded(Image.effect_noise((1600, 900), 40).convert("RGB"), "PNG"))
    assert answer.status_code == 202
    import io

    assert Image.open(io.BytesIO(event(acceptance).jpeg)).size == (512, 288)


async def test_a_retry_gets_the_same_id(client, jpeg):
    first, second, other = [
        (await upload(client, data, {"Idempotency-Key": KEY, "X-Uploader": "me"})).json()["task_id"]
        for data in (jpeg, jpeg, encoded(Image.new("RGB", (64, 64))))
    ]
    assert first == second != other


@pytest.mark.parametrize(
    ("data", "status", "kind"),
    [
        (b"no image at all", 415, "not-an-image"),
        (b"", 415, "not-an-image"),
        (encoded(Image.new("RGB", (600, 600)))[:-400], 422, "truncated-image"),
        (encoded(Image.new("1", (9000, 9000)), "PNG"), 413, "image-too-large"),
        (b"x" * (MAX_UPLOAD_BYTES + 1), 413, "image-too-large"),
        (encoded(Image.new("RGB", (20, 20))), 415, "not-an-image"),
    ],
)
async def test_what_is_no_photograph_is_refused_with_a_remedy(client, acceptance, data, status, kind):
    answer = await upload(client, data)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:leaf:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["remedy"]
    assert not acceptance.accepted


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({"Idempotency-Key": "short"}, {}),
        ({"X-Uploader": "x" * 129}, {}),
        ({}, {"camera": "no spaces allowed"}),
        ({}, {"captured_at": "yesterday"}),
        ({}, {"captured_at": "2026-07-01T08:30:00"}),
    ],
)
async def test_malformed_fields_and_headers_are_refused(client, acceptance, jpeg, headers, fields):
    answer = await upload(client, jpeg, headers, **fields)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:leaf:problem:request"
    assert not acceptance.accepted


async def test_a_body_without_the_field_is_refused(client):
    answer = await client.post("/predict", files={"photo": b"x"})
    assert answer.status_code == 422
    assert "file" in answer.json()["detail"]


async def test_a_body_that_is_no_form_is_refused(client):
    assert (await client.post("/predict", json={})).status_code == 422


async def test_the_broker_away_is_not_confirmed(client, acceptance, jpeg):
    acceptance.away = True
    answer = await upload(client, jpeg)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "not confirmed" in answer.json()["detail"]


@pytest.mark.usefixtures("overloaded")
async def test_a_backlog_is_answered_503_before_the_body_is_read(client, acceptance, jpeg):
    answer = await upload(client, jpeg)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:leaf:problem:backlog"
    assert int(answer.headers["retry-after"]) > 2
    assert not acceptance.accepted


async def test_a_camera_that_fills_its_partition_is_refused_and_nobody_else(client, services, acceptance, jpeg):
    numbers = range(12)
    attacked = partition(b"attacked", numbers, ())
    services.backpressure.backlog = Backlog(9000, dict.fromkeys(numbers, 0) | {attacked: 61}, moving=True)
    for _ in range(20):
        answer = await upload(client, jpeg, camera="attacked")
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:leaf:problem:backlog")
        assert (await upload(client, jpeg)).status_code == 202
    keys = {partition(envelope.key.encode(), numbers, ()) for _, envelope in acceptance.accepted}
    assert len(acceptance.accepted) == 20
    assert attacked not in keys


async def test_more_than_memory_allows_is_answered_503(client, services, jpeg):
    with services.admission.reserve(16 * 2**20 - len(jpeg)):
        answer = await upload(client, jpeg)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:leaf:problem:overloaded"
    assert (await upload(client, jpeg)).status_code == 202


async def test_a_client_that_stops_sending_is_let_go(app, services):
    sent = []

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    services.settings = services.settings.model_copy(update={"upload_seconds": 0.05})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", b"100")],
    }
    await asyncio.wait_for(app(scope, receive, send), 5)
    assert sent[0]["status"] == 408


async def test_a_client_that_hangs_up_leaves_nothing_behind(app, services, acceptance):
    messages = [{"type": "http.request", "body": b"--x\r\n", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/predict",
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", b"100")],
    }
    await app(scope, receive, send)
    assert not acceptance.accepted
    with services.admission.reserve(16 * 2**20):
        pass


async def test_what_was_uploaded_does_not_wait_for_the_broker(client, services, acceptance, monkeypatch):
    photograph = encoded(Image.effect_noise((1600, 1600), 80).convert("RGB"), "PNG")
    gate, waiting, held = asyncio.Event(), asyncio.Event(), []

    async def accept(_topic, _envelope):
        held.append(services.admission._held)
        waiting.set()
        await gate.wait()

    async def read(*_args):
        return Form(Counted(photograph), None, None)

    monkeypatch.setattr(acceptance, "accept", accept)
    monkeypatch.setattr(Form, "read", read)
    sent = asyncio.create_task(upload(client, b"x"))
    await waiting.wait()
    await asyncio.sleep(0.1)  # the thread that decoded it may have to let go of it yet
    assert (held, Counted.alive) == ([0], 0)
    gate.set()
    assert (await sent).status_code == 202


class Counted(bytes):
    """Bytes that tell how many such there are."""

    alive = 0

    def __new__(cls, data):
        cls.alive += 1
        return super().__new__(cls, data)

    def __del__(self):
        Counted.alive -= 1


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
async def test_a_time_beyond_the_calendar_is_refused(client, acceptance, jpeg, when):
    answer = await upload(client, jpeg, captured_at=when)
    assert answer.status_code == 422
    assert "captured_at" in answer.json()["detail"]
    assert not acceptance.accepted


async def test_a_form_of_very_many_fields_is_refused(client):
    answer = await client.post("/predict", files=[("x", ("x", b"x"))] * 200)
    assert answer.status_code == 422
    assert "fields" in answer.json()["detail"]
