import struct
import time

import pytest

from schemas.feedback import Feedback
from schemas.topics import FEEDBACK


async def test_a_correction_is_stored(client, acceptance, ids):
    task_id = ids.new()
    answer = await client.post(
        f"/result/{task_id}/feedback", json={"label": "healthy", "note": "looked again"}, headers={"X-Uploader": "me"}
    )
    assert answer.status_code == 202
    assert answer.json() == {"task_id": task_id, "label": "healthy"}
    topic, envelope = acceptance.accepted[-1]
    stored = Feedback.read(envelope.key, envelope.value, envelope.headers())
    assert topic == FEEDBACK
    assert envelope.key == stored.image_id == task_id
    assert (stored.label, stored.note) == ("healthy", "looked again")
    assert len(stored.by) == 32


@pytest.mark.parametrize(
    "body", [{}, {"label": "rust"}, {"label": "healthy", "by": "x"}, {"label": "healthy", "note": "x" * 501}]
)
async def test_a_malformed_one_is_refused(client, acceptance, ids, body):
    answer = await client.post(f"/result/{ids.new()}/feedback", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert not acceptance.accepted


async def test_ids_are_checked(client, ids):
    old = ids.seal.sign(struct.pack(">BI11s", 1, int(time.time()) - 31 * 86400, b"x" * 11))
    for task_id, status in (("nonsense", 404), (old, 410)):
        assert (await client.post(f"/result/{task_id}/feedback", json={"label": "healthy"})).status_code == status


async def test_the_broker_away_is_not_confirmed(client, acceptance, ids):
    acceptance.away = True
    assert (await client.post(f"/result/{ids.new()}/feedback", json={"label": "healthy"})).status_code == 503
