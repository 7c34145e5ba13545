import random
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_api.errors import ExpiredTaskError, UnknownTaskError
from producer_api.seal import Seal
from producer_api.services import task_ids
from producer_api.settings import ApiSettings
from producer_api.task_id import TaskIds

DAY = 86400
KEY = "5f0c8d0e-3c3e-4b8e-9d55-111111111111"
IDS = TaskIds(Seal(b"one key"), 30 * DAY)


def uuid7(seconds: float) -> str:
    return str(uuid.UUID(int=(int(seconds * 1000) << 80) | (7 << 76) | (0b10 << 62) | 12345))


def test_carries_its_time_and_fits_a_url_and_the_contract():
    task_id = IDS.new()
    assert len(task_id) == 32
    assert set(task_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert IDS.read(task_id).seconds == pytest.approx(time.time(), abs=5)


def test_another_process_with_the_same_key_knows_it():
    assert TaskIds(Seal(b"one key"), DAY).read(IDS.new())


def test_another_key_does_not():
    with pytest.raises(UnknownTaskError):
        TaskIds(Seal(b"another key"), DAY).read(IDS.new())


@given(st.text(max_size=80))
def test_nothing_else_is_an_id(text):
    with pytest.raises(UnknownTaskError):
        IDS.read(text)


@given(st.integers(0, 31), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
def test_no_character_can_be_changed(position, character):
    task_id = IDS.new()
    forged = task_id[:position] + character + task_id[position + 1 :]
    if forged != task_id:
        with pytest.raises(UnknownTaskError):
            IDS.read(forged)


def test_ids_differ():
    assert len({IDS.new() for _ in range(1000)}) == 1000


def test_expires():
    ids = TaskIds(Seal(b"one key"), 60)
    ids.refuse_expired(int(time.time()) - 50)
    with pytest.raises(ExpiredTaskError):
        ids.refuse_expired(int(time.time()) - 70)


def test_a_retry_gets_the_same_id_at_any_process():
    assert IDS.derive(KEY, "me", b"leaf") == TaskIds(Seal(b"one key"), DAY).derive(KEY, "me", b"leaf")


@pytest.mark.parametrize(
    ("key", "uploader", "digest"),
    [(KEY[:-1] + "2", "me", b"leaf"), (KEY, "you", b"leaf"), (KEY, "me", b"other")],
)
def test_another_key_uploader_or_photograph_gets_another_id(key, uploader, digest):
    assert IDS.derive(KEY, "me", b"leaf") != IDS.derive(key, uploader, digest)


def test_key_and_uploader_are_not_run_together():
    assert IDS.derive("a" * 16 + "b", "c", b"") != IDS.derive("a" * 16, "bc", b"")


def test_a_key_without_time_never_expires():
    task = IDS.read(IDS.derive(KEY, "me", b"leaf"))
    assert task.seconds == 0
    IDS.refuse_expired(task.seconds)


def test_a_uuid7_gives_its_time():
    then = int(time.time()) - 3600
    assert IDS.read(IDS.derive(uuid7(then), "me", b"leaf")).seconds == then


@pytest.mark.parametrize("ago", [31 * DAY, -1000 * 365 * DAY])
def test_a_uuid7_out_of_bounds_tells_no_time(ago):
    assert IDS.read(IDS.derive(uuid7(time.time() - ago), "me", b"leaf")).seconds == 0


def test_no_random_key_is_refused():
    """The page's keys: one in 64 is a UUIDv7 without its hyphens, of any time within 9,000 years."""
    dice = random.Random(64)
    keys = [dice.randbytes(16).hex() for _ in range(10_000)]
    assert sum(uuid.UUID(key).version == 7 for key in keys) > 100
    assert not any(IDS.read(IDS.derive(key, "me", b"leaf")).seconds for key in keys)


def test_a_batch_id_is_no_task_id():
    from producer_api.batches.batch_id import BatchId

    with pytest.raises(UnknownTaskError):
        IDS.read(BatchId.new(IDS, None, None).text(IDS))


def test_ids_expire_when_the_sink_drops_their_results(monkeypatch, tmp_path):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path))
    monkeypatch.setenv("LEAF_SINK_RETENTION_DAYS", "7")
    week = task_ids(ApiSettings())
    week.refuse_expired(int(time.time()) - 6 * 86400)
    with pytest.raises(ExpiredTaskError, match="7 days"):
        week.refuse_expired(int(time.time()) - 8 * 86400)
