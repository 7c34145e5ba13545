import json
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from ops.doctor import examine
from ops.settings import TopicSettings
from schemas.topics import PREDICTIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "var"))
    for name in ("KAFKA", "REDIS", "MODE"):
        monkeypatch.delenv(name, raising=False)


def found(**settings):
    return {finding.check: finding for finding in examine(TopicSettings(**settings))}


def test_without_a_stack_it_says_how_to_start_one():
    findings = found()
    assert findings["stack"].state == "warning"
    assert "make run" in findings["stack"].remedy
    assert "kafka" not in findings


def test_the_addresses_that_a_killed_stack_left_behind_are_not_looked_at(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    (tmp_path / "var").mkdir()
    addresses = {"pid": ended.pid, "kafka": "127.0.0.1:1", "redis": "127.0.0.1:1", "mode": "real"}
    (tmp_path / "var" / "run.json").write_text(json.dumps(addresses))
    findings = found()
    assert findings["stack"].state == "warning"
    assert "kafka" not in findings


def test_a_missing_model_and_a_damaged_one_are_errors(tmp_path):
    (tmp_path / "resnet50" / "1").mkdir(parents=True)
    (tmp_path / "resnet50" / "1" / "card.json").write_text("{}")
    findings = found(models_dir=tmp_path)
    assert findings["model efficientnetb0"].state == "error"
    assert findings["model resnet50@1"].state == "error"
    assert "not a model card" in findings["model resnet50@1"].says


@pytest.mark.broker
def test_a_broker_and_a_redis_as_they_should_be(topics, redis_server):
    findings = found(kafka=topics, redis=redis_server)
    checks = ("kafka", "topics", "redis", "redis settings")
    assert [findings[check].state for check in checks] == ["ok"] * len(checks)


@pytest.mark.broker
def test_what_is_wrong_is_named_with_what_to_do(topics, redis_process):
    with Redis(port=redis_process.port) as store:
        store.config_set("maxmemory-policy", "allkeys-lru")
        try:
            findings = found(kafka=topics, redis=redis_process.address, retention_days={PREDICTIONS.name: 1})
        finally:
            store.config_set("maxmemory-policy", "noeviction")
    assert findings["redis settings"].state == "error"
    assert "allkeys-lru" in findings["redis settings"].says
    assert PREDICTIONS.name in findings["topics"].says
    assert "leaf topics" in findings["topics"].remedy


def test_json_and_exit_status_are_for_machines(tmp_path):
    command = [sys.executable, "-m", "ops.leaf", "doctor", "--json"]
    env = {"KAFKA": "127.0.0.1:1", "REDIS": "127.0.0.1:1", "LEAF_VAR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert findings["kafka"]["state"] == "error"
    assert done.returncode == 1
