"""Whether the workers can load what an experiment names: asked by the API, answered by each of them."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import Cluster
from confluent_kafka.admin import AdminClient
from examples import experiment
from sinks import eventually
from workers import image_event, write_model

from ops.broker import Broker
from ops.process import Process
from producer_api.errors import DefinitionError, SilentWorkersError
from producer_api.experiments.definition import Definition
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.register import Register
from producer_api.experiments.trials import Trials
from schemas.experiment import Arm

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


@pytest.fixture
def log(own_broker: Broker) -> Iterator[ExperimentLog]:
    log = ExperimentLog(own_broker.address, 30)
    yield log
    log.close()


def joined(cluster: Cluster, count: int) -> None:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0})

    def found() -> None:
        assert cluster.group in {group.group_id for group in admin.list_consumer_groups().result(10).valid}
        assert len(admin.describe_consumer_groups([cluster.group])[cluster.group].result(10).members) == count

    eventually(found, 60)


def arm(name: str, version: str, weight: float = 0.5) -> Arm:
    return Arm(name=name, model="flat", version=version, weight=weight)


def test_every_worker_is_asked_and_its_reason_is_what_is_said(
    cluster: Cluster, log: ExperimentLog, start_worker: Callable[..., Process], models: Path, tmp_path: Path
) -> None:
    """The API's own copy of the models is whole; that of one worker is not."""
    write_model(models, version="2")
    others = tmp_path / "others"
    write_model(others)
    write_model(others, version="2", files={"weights.npz": "0" * 64})
    trials = Trials(cluster.bootstrap, cluster.group)
    assert trials.refusals(["flat@9"]) == {}  # nobody is there to say anything
    start_worker()
    joined(cluster, 1)
    assert trials.refusals(["flat@1", "flat@2"]) == {}
    second = start_worker(LEAF_WORKER_MODELS=others)
    joined(cluster, 2)
    register = Register(log, models, trials=trials)
    with pytest.raises(DefinitionError, match=r"b: the workers can't load flat@2: .*checksum"):
        register.define("trial", Definition(arms=[arm("a", "1"), arm("b", "2")]))
    assert log.read().names() == []
    write_model(others, version="2")
    started = register.define("trial", Definition(arms=[arm("a", "1"), arm("b", "2")]))
    assert started.state == "running"
    assert log.read().names() == ["trial"]
    second.kill()
    assert trials.refusals(["flat@1"]) == {}  # one that went away is waited for as long as the group waits for it


def test_workers_that_say_nothing_stop_a_start(
    own_broker: Broker, cluster: Cluster, start_worker: Callable[..., Process]
) -> None:
    worker = start_worker()
    joined(cluster, 1)
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(SilentWorkersError, match="no worker said in 2 s whether it can load flat@1"):
        Trials(own_broker.address, cluster.group, seconds=2).refusals(["flat@1"])


def test_a_version_lost_after_the_start_is_answered_for_outside_of_the_experiment(
    cluster: Cluster, log: ExperimentLog, start_worker: Callable[..., Process], models: Path
) -> None:
    number = len(log.read().versions("trial")) + 1
    log.append(experiment(name="trial", version=number, arms=[arm("a", "1"), arm("b", "6")], shadows=[]))
    start_worker()
    positions = cluster.produce(*(image_event(5000 + number) for number in range(24)))
    answered = cluster.wait_for(positions)
    found = [said for position in positions for said in answered[position]]
    outside = [said for said in found if said.unserved]
    assert 0 < len(outside) < 24
    assert {(said.answer.arm, said.answer.version, said.experiment, said.unserved.arm) for said in outside} == {
        ("flat", "1", None, "b")
    }
    inside = [said for said in found if not said.unserved]
    assert {(said.answer.arm, said.answer.version, said.experiment) for said in inside} == {("a", "1", "trial")}
