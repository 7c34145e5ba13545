"""The whole worker, as a process, against a real broker."""

import os
import random
import signal
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from confluent_kafka import ConsumerGroupState, Producer
from examples import experiment
from workers import KILLER, SLOW, image_event, jpeg, write_model

from schemas.experiment import Arm
from schemas.image import ImageEvent
from schemas.labels import LABELS
from schemas.topics import EXPERIMENTS, PREDICTIONS

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
numbers = iter(range(1_000_000))


def events(count: int) -> list[ImageEvent]:
    return [image_event(next(numbers)) for _ in range(count)]


def frames(count: int, cameras: int) -> list[ImageEvent]:
    names = [f"camera-{number % cameras}" for number in range(count)]
    return [image_event(next(numbers), camera=name, key=name) for name in names]


def test_photographs_become_predictions_and_poison_dead_letters(cluster, start_worker) -> None:
    start_worker()
    good = [image_event(next(numbers), jpeg=jpeg(20 * n), traceparent=TRACE) for n in range(10)]
    positions = cluster.produce(*good)
    headers = good[0].envelope().headers()
    poison = cluster.produce_records(
        (headers, b"key", b"noise"),
        (headers, b"key", b""),
        (headers, None, None),
        (headers, b"key", jpeg()[:-200]),
        ([], b"key", jpeg()),
        ([], None, None),
        ([("ce_id", None)], b"key", jpeg()),
        (headers, b"key", random.Random(1).randbytes(900_000)),
    )
    found = cluster.wait_for(positions + poison)
    for number, position in enumerate(positions):
        (prediction,) = found[position]
        assert prediction.image_id == good[number].id
        assert prediction.answer.label == LABELS[number]
        assert prediction.answer.model == "flat"
        assert prediction.experiment is None
        assert len(prediction.source.topic_id) == 22
        assert abs(prediction.source.timestamp_ms / 1000 - time.time()) < 60
    dead = cluster.dead_letters()
    assert dead.keys() == set(poison)
    for position in poison:
        (prediction,) = found[position]
        assert prediction.failure.kind == "unprocessable"
        notes = dict(dead[position].headers())
        assert notes["dead_letter_error"].decode() == prediction.failure.error
        assert dead[position].partition() == position[0]
    assert len(dead[poison[-1]].value()) == 900_000
    assert ("ce_id", None) in dead[poison[-2]].headers()
    assert dead[poison[2]].value() == b""
    traced = [dict(m.headers()).get("traceparent") for m in cluster.read(PREDICTIONS.name)]
    assert traced.count(TRACE.encode()) >= 10


def test_photographs_that_their_producer_compressed(own_broker, cluster, start_worker) -> None:
    """aiokafka can't read most of these: the worker died of the first record, and so did the next one."""
    start_worker()
    positions = []
    for codec in ("gzip", "snappy", "lz4", "zstd"):
        cluster.producer = Producer({"bootstrap.servers": own_broker.address, "compression.type": codec})
        positions += cluster.produce(*events(10))
    found = cluster.wait_for(positions)
    assert all(found[position][0].answer for position in positions)


def test_nothing_is_committed_before_its_prediction_is_stored(cluster, start_worker) -> None:
    """Fails without `noack`, and where a later photograph is acknowledged before an earlier one.

    A batch takes longer than a look at the topics.
    """
    worker = start_worker(seconds=2)
    before = sum(cluster.committed().values())
    positions = cluster.produce(*events(96))
    while not cluster.predictions().keys() & set(positions):
        time.sleep(0.2)
    for _ in range(12):
        committed = cluster.committed()
        predicted = cluster.predictions().keys()
        for partition, offset in positions:
            assert offset >= committed.get(partition, 0) or (partition, offset) in predicted
        time.sleep(0.25)
    assert sum(cluster.committed().values()) > before
    worker.kill()
    start_worker()
    cluster.wait_for(positions)


def test_a_backlog_is_worked_off_without_a_pause(cluster, start_worker) -> None:
    """Faust's own consumer sleeps for a second whenever the stream's buffer is full: here two to four times."""
    positions = cluster.produce(*events(800))
    start_worker(seconds=0.05)
    cluster.wait_for(positions)
    stored = sorted(message.timestamp()[1] for message in cluster.read(PREDICTIONS.name))[-len(positions) :]
    pauses = [later - earlier for earlier, later in pairwise(stored) if later - earlier > 500]
    assert len(pauses) <= 1


def test_kills_and_stops_lose_nothing(cluster, start_worker) -> None:
    dice = random.Random(7)
    workers = [start_worker(seconds=0.05) for _ in range(2)]
    positions = []
    for turn in range(6):
        if turn % 2:  # what is in work at two kills is a dead letter: nothing may be left of the kill before
            cluster.wait_for(positions)
        positions += cluster.produce(*frames(120, cameras=5))
        time.sleep(dice.uniform(0.5, 2))
        victim = workers.pop(0)
        if turn % 2:
            victim.kill()
        else:
            victim.stop()
            assert victim.returncode in {0, -signal.SIGTERM}  # the latter before it had joined the group
        workers.append(start_worker(seconds=0.05))
    found = cluster.wait_for(positions, seconds=60)
    assert not cluster.dead_letters().keys() & set(positions)
    first_seen: dict[str, list[int]] = {}
    for (_, offset), predictions in found.items():
        if camera := predictions[0].camera:
            first_seen.setdefault(camera, []).append(offset)
    assert len(first_seen) == 5
    for offsets in first_seen.values():
        assert offsets == sorted(offsets)


def test_a_picture_that_kills_its_worker_twice_is_a_dead_letter(cluster, start_worker) -> None:
    before = cluster.produce(*events(20))
    (killer,) = cluster.produce(image_event(next(numbers), jpeg=jpeg(KILLER)))
    after = cluster.produce(*events(20))
    deaths = 0
    worker = start_worker()
    deadline = time.monotonic() + 60
    while killer not in cluster.predictions():
        if not worker.alive():
            assert worker.returncode == -signal.SIGKILL
            deaths += 1
            worker = start_worker()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert deaths == 2
    found = cluster.wait_for(before + after)
    assert all(found[position][0].answer for position in before + after)
    (prediction,) = found[killer]
    assert "2 workers died" in prediction.failure.error
    assert cluster.dead_letters()[killer].value() == jpeg(KILLER)
    worker.stop()
    assert worker.returncode == 0


def test_a_broker_that_dies_and_returns(own_broker, cluster, start_worker, tmp_path) -> None:
    worker = start_worker(seconds=0.1)
    positions = cluster.produce(*events(200))
    cluster.wait_for(positions[:8])
    own_broker.kill()
    started = time.monotonic()
    time.sleep(6)
    own_broker.start()
    cluster.wait_for(positions, seconds=60)
    assert worker.alive()
    lines = next(tmp_path.glob("worker-*.log")).read_text().splitlines()
    complaints = [line for line in lines if "WARNING" in line or "ERROR" in line]
    assert len(complaints) <= 4 + (time.monotonic() - started) / 2, "\n".join(complaints)


def test_sigterm_while_the_broker_is_away(own_broker, cluster, start_worker) -> None:
    worker = start_worker(seconds=0.1)
    positions = cluster.produce(*events(100))
    cluster.wait_for(positions[:8])
    own_broker.kill()
    started = time.monotonic()
    worker.stop()
    assert time.monotonic() - started < 10
    own_broker.start()
    start_worker()
    cluster.wait_for(positions, seconds=60)


def test_sigterm_while_the_group_waits_for_a_killed_member(cluster, start_worker) -> None:
    """The stop has to be forced; nothing was in work, so all is well."""
    killed = start_worker(LEAF_WORKER_SESSION_TIMEOUT_S=30)
    cluster.wait_for(cluster.produce(*events(10)))
    killed.kill()
    joining = start_worker()
    while cluster.state() != ConsumerGroupState.PREPARING_REBALANCING:
        time.sleep(0.1)
    started = time.monotonic()
    joining.stop()
    assert joining.returncode == 0
    assert 6 < time.monotonic() - started < 10


def test_sigterm_while_a_model_is_loaded(cluster, start_worker, models) -> None:
    """Its thread can't be stopped, and the end of the event loop waits for it."""
    worker = start_worker()
    cluster.wait_for(cluster.produce(*events(1)))
    write_model(models, version=SLOW)
    os.kill(worker.pid, signal.SIGHUP)
    while "loading" not in worker.log.read_text():
        time.sleep(0.1)
    started = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    while worker.alive():
        assert time.monotonic() - started < 12
        time.sleep(0.1)
    assert worker.returncode == 0


def test_a_leader_that_had_not_heard_of_the_topic(cluster, start_worker) -> None:
    """It hands out nothing, and the whole group would wait five minutes for its next look at the metadata."""
    worker = start_worker(behaviour="uninformed")
    # On a busy machine two rebalances, the first of which waits for members killed before, took 27 s and once over 40.
    cluster.wait_for(cluster.produce(*events(5)), 90)
    assert "Ignoring missing topic" in worker.log.read_text()


@pytest.mark.parametrize("behaviour", ["broken", "unreadable"])
def test_the_process_exits_when_a_task_dies(cluster, start_worker, behaviour) -> None:
    """One that went on would sooner or later acknowledge past the photograph it had dropped."""
    worker = start_worker(behaviour=behaviour)
    before = cluster.committed()
    positions = cluster.produce(*events(10))
    deadline = time.monotonic() + 30
    while worker.alive():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert worker.returncode == 1
    assert behaviour == "unreadable" or cluster.committed() == before
    start_worker()
    cluster.wait_for(positions)


def test_new_versions_are_followed_and_a_refused_one_is_tried_again_at_sighup(cluster, start_worker, models) -> None:
    def define(number: int, arm: str) -> None:
        arms = [Arm(name=arm, model="flat", version=arm, weight=1.0)]
        record = experiment(version=number, arms=arms, shadows=[], effective_at=datetime.now(UTC)).envelope()
        cluster.producer.produce(EXPERIMENTS.name, key=record.key, value=record.value, headers=record.headers())
        cluster.producer.flush(10)

    def answered() -> tuple[str, str, int | None]:
        (position,) = cluster.produce(*events(1))
        (prediction,) = cluster.wait_for([position])[position]
        return prediction.answer.arm, prediction.answer.version, prediction.experiment_version

    worker = start_worker()
    assert answered() == ("flat", "1", None)
    write_model(models, version="2")
    define(1, "2")
    time.sleep(2)
    assert answered() == ("2", "2", 1)
    write_model(models, version="3")
    (models / "flat" / "3" / "weights.npz").write_bytes(b"half a copy")
    define(2, "3")
    deadline = time.monotonic() + 60
    while "flat@3 is refused" not in worker.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answered() == ("flat", "2", None)
    write_model(models, version="3")
    os.kill(worker.pid, signal.SIGHUP)
    while answered() != ("3", "3", 2):
        assert time.monotonic() < deadline
    worker.stop()
    assert worker.returncode == 0
