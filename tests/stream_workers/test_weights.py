"""Weights changed while photographs flow through two workers, and all of it replayed."""

import itertools
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from workers import image_event

from producer_api.experiments.definition import Definition
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.register import Register
from schemas.experiment import Arm
from schemas.prediction import Prediction
from schemas.timeline import Timeline
from schemas.topics import REPLAYS, WORKER_GROUP
from stream_workers.assignment import draw

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
HALVES = [Arm(name=name, model="flat", version="1", weight=0.5) for name in ("old", "new")]
TENTH = [arm.model_copy(update={"weight": weight}) for arm, weight in zip(HALVES, (0.1, 0.9), strict=True)]
PER_SECOND = 25


def members_at_work(admin: AdminClient) -> int:
    """How many workers have partitions; none before the group exists."""
    described = admin.describe_consumer_groups([WORKER_GROUP], request_timeout=5)[WORKER_GROUP]
    try:
        return sum(bool(member.assignment.topic_partitions) for member in described.result(6).members)
    except (KafkaException, TimeoutError):
        return 0


def until(true, seconds):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@contextmanager
def flowing(cluster):
    """Photographs at a steady rate; gives the positions of those that are stored."""
    sent, stop, numbers = [], threading.Event(), itertools.count(1_000_000)

    def flow() -> None:
        while not stop.wait(1 / PER_SECOND):
            sent.extend(cluster.produce(image_event(next(numbers))))

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join()


def replayed(cluster, models, tmp_path):
    """Source position -> what a replay of all photographs said."""
    environment = os.environ | {
        "KAFKA": cluster.bootstrap,
        "LEAF_VAR": str(tmp_path / "var"),
        "LEAF_WORKER_MODELS": str(models),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")]),
    }
    # At its usual nice 19 it would wait for every other process of this machine.
    impolitely = "import replayers as r; r.cli.yield_processor = lambda: None; r.main()"
    command = [sys.executable, "-c", impolitely, "0", "--json", "--run", "again", "--from=2026-01-01T00:00Z"]
    ended = subprocess.run(command, check=False, env=environment, cwd=ROOT, timeout=100, capture_output=True)
    assert ended.returncode == 0, ended.stderr.decode()
    records = (Prediction.read(m.key(), m.value(), m.headers()) for m in cluster.read(REPLAYS.name))
    return {(found.source.partition, found.source.offset): found for found in records}


def test_new_weights_hold_two_seconds_later_and_a_replay_gives_the_same_arms(
    cluster, start_worker, models, tmp_path
) -> None:
    register = Register(ExperimentLog(cluster.bootstrap, 30), models)
    first = register.define("weights", Definition(arms=HALVES, salt="pepper")).current
    for _ in range(2):
        start_worker()
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    until(lambda: members_at_work(admin) == 2, 90)
    with flowing(cluster) as sent:
        time.sleep(3)
        second = register.define("weights", Definition(arms=TENTH)).current
        changed_ms = time.time() * 1000
        time.sleep(6)
    register.close()

    found = cluster.wait_for(sent, 90)  # nothing is lost
    assert members_at_work(admin) == 2
    versions = {1: first, 2: second}
    before, later = set(), set()
    for position in sent:
        for prediction in found[position]:
            version = versions[prediction.experiment_version]
            assert prediction.answer.arm == draw(version.arms, "pepper", prediction.image_id).name
            if prediction.source.timestamp_ms < second.effective_at.timestamp() * 1000:
                before.add(version.version)
            elif prediction.source.timestamp_ms > changed_ms + 2000:
                later.add(version.version)
    assert (before, later) == ({1}, {2})

    again = replayed(cluster, models, tmp_path)
    assert again.keys() == set(sent)
    timeline = Timeline([first, second])
    for position, prediction in again.items():
        version = timeline.at(prediction.source.timestamp_ms)
        live = next(p for p in found[position] if p.run is None)
        assert prediction.experiment_version == version.version
        assert prediction.answer.arm == draw(version.arms, "pepper", prediction.image_id).name
        if live.experiment_version == version.version:  # a worker that had not heard yet may have said otherwise
            assert prediction.answer.arm == live.answer.arm
