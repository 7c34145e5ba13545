"""The shipped models over the same photographs, replayed and computed offline."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cluster import Cluster
from confluent_kafka import Producer
from redis import Redis
from scipy.special import expit
from sinks import Running, eventually, publish
from sklearn.metrics import accuracy_score, confusion_matrix
from workers import image_event

from result_sink.settings import SinkSettings
from schemas.card import ModelCard
from schemas.counters import run_results_key
from schemas.feedback import Feedback
from schemas.labels import LABELS, NOT_TOMATO_LEAF
from schemas.normalisation import normalise
from stream_workers.engines import load_engine
from training.dataset import photographs
from training.evaluation import find_model
from training.inference import serve

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[4]
NAMES = ("resnet50", "efficientnetb0")


def leaf(*command, **environment):
    support = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])
    done = subprocess.run(
        [sys.executable, "-m", *command, "--json"],
        env=os.environ | environment | {"PYTHONPATH": support},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture
def sink(topics, redis_server):
    with Redis.from_url(f"redis://{redis_server}") as redis:
        redis.flushall()
        running = Running(SinkSettings(kafka=topics, redis=redis_server, mode="real"))
        yield redis
        running.stop()


def offline(samples, directory):
    """What this model shows for each photograph, as `leaf evaluate` computes it."""
    card = ModelCard.load(directory)
    served = serve(samples, load_engine("openvino", directory, card, threads=1), card.preprocessing.px)
    gate = expit(served.outputs.gate / card.calibration.gate_temperature)
    labels = np.array(LABELS)[served.outputs.logits.argmax(axis=1)]
    return np.where(gate < card.calibration.gate_threshold, NOT_TOMATO_LEAF, labels)


def test_the_matrix_of_two_runs_is_the_one_computed_offline(topics, redis_server, sink, leaves, tmp_path):
    samples = leaves / "samples"
    items = list(photographs(samples))
    images = [image_event(number, jpeg=normalise(item.content).jpeg) for number, item in enumerate(items)]
    Cluster(topics).produce(*images)
    truth = {n: item.label for n, item in enumerate(items) if n % 2 and item.label in LABELS}
    told = [Feedback(image_id=images[n].id, label=label, given_at="2026-11-23T12:00:00Z") for n, label in truth.items()]
    publish(Producer({"bootstrap.servers": topics}), told)
    models = [find_model(name, ROOT / "models") for name in NAMES]
    environment = {"KAFKA": topics, "REDIS": redis_server, "LEAF_VAR": str(tmp_path)}
    for name, model in zip(NAMES, models, strict=True):
        replay = ("replayers", "shipped", "--run", name, "--model", f"{name}@{model.name}")
        assert leaf(*replay, **environment)["results"] == len(items)
        assert leaf(*replay, **environment)["results"] == len(items)  # again: nothing moves

    def settled():
        assert [sink.zcard(run_results_key(name)) for name in NAMES] == [len(items)] * 2

    eventually(settled)
    report = leaf("ops.leaf", "replay-report", NAMES[1], "--against", NAMES[0], **environment)
    before, after = (offline(samples, model) for model in models)
    shown = [*LABELS, NOT_TOMATO_LEAF]
    assert [[report["changes"].get(row, {}).get(column, 0) for column in shown] for row in shown] == (
        confusion_matrix(before, after, labels=shown).tolist()
    )
    labelled = list(truth)
    for moment, labels in (("before", before), ("after", after)):
        expected = accuracy_score(list(truth.values()), labels[labelled])
        assert report[f"accuracy_{moment}"] == pytest.approx(expected, abs=1e-6)
