import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from examples import answer, prediction
from redis import Redis
from workers import image_event

from ops.settings import TopicSettings
from ops.topics import create_topics
from schemas.counters import feedback_key, run_results_key
from schemas.prediction import Source
from schemas.replay import Run
from schemas.result import PREDICTION_FIELD, result_key
from stream_workers.replay.runs import Runs
from stream_workers.topology import images_topic_id

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]
ROOT = Path(__file__).parents[4]


@pytest.fixture
def report(cluster, redis_server, tmp_path):
    def run(*arguments, check=True):
        environment = os.environ | {
            "KAFKA": cluster.bootstrap,
            "REDIS": redis_server,
            "LEAF_VAR": str(tmp_path / "var"),
        }
        command = [sys.executable, "-m", "ops.leaf", "replay-report", *arguments]
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=check)

    return run


def test_a_run_against_the_live_results(cluster, redis_server, report, tmp_path):
    create_topics(TopicSettings(kafka=cluster.bootstrap), experiment=False)
    topic_id = images_topic_id(cluster.bootstrap, embedded=False)
    images = [image_event(number) for number in range(3)]
    positions = cluster.produce(*images)
    name = "reported"
    Runs(cluster.bootstrap).define(
        Run(
            name=name,
            topic_id=topic_id,
            start=dict.fromkeys(range(12), 0),
            end=dict.fromkeys(range(12), 1),
            defined_at="2026-11-23T12:00:00Z",
        )
    )
    host, port = redis_server.split(":")
    with Redis(host=host, port=int(port)) as redis:
        redis.flushall()
        for number, (image, (partition, offset)) in enumerate(zip(images, positions, strict=True)):
            source = Source(topic="leaf.images", topic_id=topic_id, partition=partition, offset=offset, timestamp_ms=1)
            before = prediction(image_id=image.id, source=source)
            changed = answer(label="healthy", confidence=0.7) if number else answer()
            after = prediction(image_id=image.id, source=source, run=name, answer=changed)
            redis.hset(result_key(image.id), PREDICTION_FIELD, before.model_dump_json())
            redis.hset(result_key(image.id, name), PREDICTION_FIELD, after.model_dump_json())
            redis.zadd(run_results_key(name), {image.id: 1})
        redis.zadd(run_results_key(name), {"image-without-a-result": 1})
        redis.hset(feedback_key(images[1].id), "label", "healthy")
    told = report(name, "--json", "--out", str(tmp_path / "out"))
    assert json.loads(told.stdout) == {
        "run": name,
        "against": "live",
        "images": 3,
        "agreement": 0.333333,
        "changes": {"late_blight": {"healthy": 2, "late_blight": 1}},
        "accuracy_before": 0.0,
        "accuracy_after": 1.0,
    }
    assert f"{name} is not finished" in told.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.json", "report.html", "contact-sheet.png"}
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["missing"] == 1
    assert written["models_before"] == written["models_after"] == {"resnet50@1": 3}
    assert written["verdicts_before"] == written["verdicts_after"] == {"diagnosed": 3}
    assert "2  late_blight -> healthy" in report(name).stdout


@pytest.mark.parametrize("name", ["nothing", "live"])
def test_a_run_that_is_not_there_is_said_so(cluster, report, name):
    failed = report(name, check=False)
    assert failed.returncode == 1
    assert f"there is no run '{name}'" in failed.stderr
