"""Whole runs, as processes, against a real broker."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from examples import experiment
from workers import image_event, jpeg, write_model

from schemas.errors import BrokerUnavailableError
from schemas.experiment import Arm
from schemas.labels import LABELS
from schemas.prediction import Prediction
from schemas.replay import Run
from schemas.topics import EXPERIMENTS, IMAGES, PREDICTIONS, REPLAYS, RUNS
from stream_workers.assignment import assign
from stream_workers.replay.images import ImagesTopic
from stream_workers.replay.progress import Group
from stream_workers.replay.runs import RunConflictError, Runs

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[3]
numbers = iter(range(1_000_000))
names = (f"run-{number}" for number in range(1000))


@pytest.fixture
def name():
    return next(names)


@pytest.fixture
def start(own_broker, models, tmp_path):
    """Starts `leaf replay`; what still runs in the end is killed."""
    started = []

    def launch(*arguments, seconds=0.0):
        environment = os.environ | {
            "KAFKA": own_broker.address,
            "LEAF_VAR": str(tmp_path / "var"),
            "LEAF_WORKER_MODELS": str(models),
            "LEAF_WORKER_BATCH_IMAGES": "8",
            "LEAF_WORKER_SESSION_TIMEOUT_S": "6",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")]),
        }
        command = [sys.executable, "-m", "replayers", str(seconds), "--json", *arguments]
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        started.append(process)
        return process

    yield launch
    for process in started:
        if process.poll() is None:
            for each in [*psutil.Process(process.pid).children(), process]:
                each.kill()
        process.communicate()


@pytest.fixture
def replay(start):
    def run(*arguments, **options):
        process = start(*arguments, **options)
        out, err = process.communicate(timeout=150)
        assert process.returncode == 0, err
        told = json.loads(out)
        assert told.pop("seconds") > 0
        return told, err

    return run


def produce(cluster, count, **changes):
    return cluster.produce(*(image_event(next(numbers), **changes) for _ in range(count)))


def bounds(positions):
    """`--from` and `--to` around these positions."""
    first, last = {}, {}
    for partition, offset in positions:
        first[partition] = min(first.get(partition, offset), offset)
        last[partition] = max(last.get(partition, 0), offset + 1)
    return [f"--from={_told(first)}", f"--to={_told(last)}"]


def _told(offsets):
    return ",".join(f"{partition}:{offset}" for partition, offset in offsets.items())


def replayed(cluster, run):
    """Source position -> its predictions under this run."""
    found = {}
    for message in cluster.read(REPLAYS.name):
        prediction = Prediction.read(message.key(), message.value(), message.headers())
        assert message.partition() == prediction.source.partition
        if prediction.run == run:
            found.setdefault((prediction.source.partition, prediction.source.offset), []).append(prediction)
    return found


def ends(cluster, topic):
    return len(cluster.read(topic))


def test_a_range_is_computed_under_its_name_and_nowhere_else(cluster, replay, name):
    before = produce(cluster, 20)
    positions = cluster.produce(*(image_event(next(numbers), jpeg=jpeg(20 * n)) for n in range(10)))
    produce(cluster, 20)
    live = ends(cluster, PREDICTIONS.name)
    told, _ = replay("--run", name, *bounds(positions))
    found = replayed(cluster, name)
    assert set(positions) <= found.keys()
    assert told == {"run": name, "images": len(found), "results": len(found), "failed": 0}
    assert [found[position][0].answer.label for position in positions] == list(LABELS)
    assert all(len(each) == 1 for each in found.values())
    assert ends(cluster, PREDICTIONS.name) == live
    assert cluster.committed() == {}
    assert len(set(before) & found.keys()) < len(before)


def test_the_same_run_again_changes_nothing(cluster, replay, name):
    positions = produce(cluster, 30)
    first, _ = replay("--run", name, *bounds(positions))
    records = ends(cluster, REPLAYS.name)
    assert replay("--run", name, *bounds(positions))[0] == first
    assert replay("--run", name)[0] == first
    assert ends(cluster, REPLAYS.name) == records


def test_another_definition_under_a_used_name_is_refused(cluster, start, replay, name):
    positions = produce(cluster, 5)
    replay("--run", name, *bounds(positions))
    process = start("--run", name, *bounds(positions), "--model", "flat@1")
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"{name} is the run from" in err


def test_killed_twice_every_image_is_answered_and_counted_once(cluster, start, replay, name):
    positions = produce(cluster, 300)
    group = Group(cluster.bootstrap, run_of(positions, name))
    for share in (0.2, 0.5):
        process = start("--run", name, *bounds(positions), seconds=0.05)
        until(lambda share=share: group.progress().passed > share * 300)
        for each in [*psutil.Process(process.pid).children(), process]:
            each.send_signal(signal.SIGKILL)
        process.wait(10)
    told, _ = replay("--run", name)
    found = replayed(cluster, name)
    assert told == {"run": name, "images": len(found), "results": len(found), "failed": 0}
    assert set(positions) <= found.keys()
    assert sum(len(each) - 1 for each in found.values()) <= 2 * 4 * 8


def test_several_workers_share_a_run_and_one_may_leave(cluster, start, replay, name):
    positions = produce(cluster, 400)
    first = start("--run", name, *bounds(positions), seconds=0.05)
    group = Group(cluster.bootstrap, run_of(positions, name))
    until(lambda: group.progress().passed > 20)
    second = start("--run", name, seconds=0.05)
    until(lambda: group.progress().passed > 120)
    first.send_signal(signal.SIGTERM)
    out, err = first.communicate(timeout=60)
    assert first.returncode == 130, err
    assert json.loads(out)["images"] < 400
    out, err = second.communicate(timeout=120)
    assert second.returncode == 0, err
    found = replayed(cluster, name)
    assert json.loads(out)["images"] == len(found) >= 400
    assert set(positions) <= found.keys()


def test_only_some_cameras(cluster, replay, name):
    camera = f"camera-{name}"
    positions = produce(cluster, 10, camera=camera, key=camera)
    others = produce(cluster, 30)
    others += cluster.produce_records(*(([("ce_camera", odd)], b"key", b"") for odd in (b"\xff", None)))
    told, _ = replay("--run", name, *bounds(positions + others), "--camera", camera)
    assert told["images"] == 10
    assert replayed(cluster, name).keys() == set(positions)


def test_a_chosen_model_or_as_the_experiment_assigned(cluster, replay, models, name):
    write_model(models, version="2")
    halves = experiment(
        arms=[Arm(name=f"v{v}", model="flat", version=v, weight=0.5) for v in "12"],
        shadows=[],
        effective_at="2026-01-01T00:00Z",
    )
    record = halves.envelope()
    cluster.producer.produce(EXPERIMENTS.name, record.value, record.key, headers=record.headers(), partition=0)
    cluster.producer.flush(10)
    images = [image_event(next(numbers)) for _ in range(40)]
    positions = cluster.produce(*images)
    replay("--run", name, *bounds(positions))
    found = replayed(cluster, name)
    for image, position in zip(images, positions, strict=True):
        (prediction,) = found[position]
        assert prediction.answer.arm == assign(halves, image).answering.arm == f"v{prediction.answer.version}"
        assert (prediction.experiment, prediction.experiment_version) == ("default", 1)
    assert len(Counter(found[position][0].answer.version for position in positions)) == 2
    replay("--run", f"{name}-fixed", *bounds(positions), "--model", "flat@2")
    fixed = replayed(cluster, f"{name}-fixed")
    assert {(p[0].answer.version, p[0].experiment) for p in fixed.values()} == {("2", None)}


def test_a_model_that_is_not_there_is_refused_and_the_name_is_free(cluster, start, name):
    process = start("--run", name, *bounds(produce(cluster, 1)), "--model", "flat@9")
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "flat" in err
    assert "ModelError" in err
    assert name not in Runs(cluster.bootstrap).all()


def test_what_can_not_be_computed_is_failed(cluster, replay, name):
    positions = produce(cluster, 3) + produce(cluster, 2, jpeg=b"noise")
    told, _ = replay("--run", name, *bounds(positions))
    found = replayed(cluster, name)
    assert told["failed"] >= 2
    assert told["images"] == told["results"] + told["failed"] == len(found)
    assert {found[position][0].failure.kind for position in positions[3:]} == {"unprocessable"}
    assert cluster.dead_letters() == {}


def test_a_dry_run_defines_nothing(cluster, replay, name):
    positions = produce(cluster, 4, key="same")
    told, _ = replay("--run", name, *bounds(positions), "--dry-run")
    assert told == {"run": name, "images": 4, "results": 0, "failed": 0}
    assert name not in Runs(cluster.bootstrap).all()


def test_an_empty_range_is_an_answer(cluster, replay, name):
    told, _ = replay("--run", name, "--from", "0:0", "--to", "0:0")
    assert told == {"run": name, "images": 0, "results": 0, "failed": 0}


def test_real_time_keeps_the_pauses(cluster, replay, name):
    positions = produce(cluster, 1, key="slow")
    time.sleep(2)
    positions += produce(cluster, 1, key="slow")
    replay("--run", name, *bounds(positions), "--speed", "realtime")
    first, second = (replayed(cluster, name)[position][0] for position in positions)
    assert 1.8 < (second.predicted_at - first.predicted_at).total_seconds() < 6


def test_the_first_definition_of_a_name_counts(cluster, name):
    runs = Runs(cluster.bootstrap)
    first, second = run_of([(0, 1)], name), run_of([(0, 2)], name)
    assert runs.define(first) == first
    with pytest.raises(RunConflictError, match="otherwise"):
        runs.define(second)
    assert runs.all()[name] == first
    kept = [message for message in cluster.read(RUNS.name) if message.key() == name.encode()]
    assert Run.read(kept[-1].key(), kept[-1].value(), kept[-1].headers()) == first


def test_offsets_of_a_moment(cluster):
    produce(cluster, 5)
    time.sleep(0.05)
    topic = ImagesTopic(cluster.bootstrap)
    between = topic.oldest_time().__class__.now().astimezone()
    end = topic.end()
    time.sleep(0.05)
    (position,) = produce(cluster, 1)
    assert topic.since(between) == end
    assert topic.read([position, (0, 10**6)])[position].topic() == IMAGES.name
    assert topic.read([position]).keys() == {position}


def test_a_broker_that_is_away_is_said_so(monkeypatch):
    monkeypatch.setattr("stream_workers.replay.images.TIMEOUT_S", 0.5)
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        ImagesTopic("127.0.0.1:9")


def test_a_run_that_is_not_confirmed_is_said_so(monkeypatch):
    monkeypatch.setattr("stream_workers.replay.runs.TIMEOUT_S", 0.5)
    with pytest.raises(BrokerUnavailableError, match="not confirmed: Local: Message timed out"):
        Runs("127.0.0.1:9").define(run_of([(0, 1)], "nowhere"))


def run_of(positions, name):
    first, last = {}, {}
    for partition, offset in positions:
        first[partition] = min(first.get(partition, offset), offset)
        last[partition] = max(last.get(partition, 0), offset + 1)
    return Run(name=name, topic_id="t", start=first, end=last, defined_at="2026-11-23T12:00:00Z")


def until(true, seconds=60):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
