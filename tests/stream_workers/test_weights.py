"""Weights changed while photographs flow through two workers."""

import itertools
import threading
import time

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from workers import image_event

from producer_api.experiments.definition import Definition
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.register import Register
from schemas.experiment import Arm
from schemas.topics import WORKER_GROUP
from stream_workers.assignment import draw

pytestmark = [pytest.mark.broker, pytest.mark.timeout(150)]

HALVES = [Arm(name=name, model="flat", version="1", weight=0.5) for name in ("old", "new")]
TENTH = [arm.model_copy(update={"weight": weight}) for arm, weight in zip(HALVES, (0.1, 0.9), strict=True)]
PER_SECOND = 40


def members_at_work(admin: AdminClient) -> int:
    """How many workers have partitions; none before the group exists."""
    described = admin.describe_consumer_groups([WORKER_GROUP], request_timeout=5)[WORKER_GROUP]
    try:
        return sum(bool(member.assignment.topic_partitions) for member in described.result(6).members)
    except (KafkaException, TimeoutError):
        return 0


def test_new_weights_hold_for_every_photograph_accepted_two_seconds_later(cluster, start_worker, models) -> None:
    register = Register(ExperimentLog(cluster.bootstrap, 30), models)
    first = register.define("weights", Definition(arms=HALVES, salt="pepper")).current
    for _ in range(2):
        start_worker()
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap})
    deadline = time.monotonic() + 60
    while members_at_work(admin) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)

    sent, stop, numbers = [], threading.Event(), itertools.count(1_000_000)

    def flow() -> None:
        while not stop.wait(1 / PER_SECOND):
            sent.extend(cluster.produce(image_event(next(numbers))))

    flowing = threading.Thread(target=flow)
    flowing.start()
    time.sleep(4)
    second = register.define("weights", Definition(arms=TENTH)).current
    changed_ms = time.time() * 1000
    time.sleep(7)
    stop.set()
    flowing.join()
    register.close()

    found = cluster.wait_for(sent)
    assert len(set(sent)) == len(sent) > 100
    assert members_at_work(admin) == 2
    by_version = {1: first, 2: second}
    later = 0
    for position in sent:
        for prediction in found[position]:
            at = prediction.source.timestamp_ms
            version = by_version[prediction.experiment_version]
            assert prediction.answer.arm == draw(version.arms, "pepper", prediction.image_id).name
            if at < second.effective_at.timestamp() * 1000:
                assert version == first
            if at > changed_ms + 2000:
                assert version == second
                later += 1
    assert later > 50
