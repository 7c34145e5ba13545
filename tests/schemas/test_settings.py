import json
import subprocess
import sys

import pytest

from schemas.settings import ServiceSettings


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path))
    for name in ("KAFKA", "REDIS", "MODE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_defaults_are_the_usual_ports():
    settings = ServiceSettings()
    assert (settings.kafka, settings.redis, settings.mode) == ("127.0.0.1:9092", "127.0.0.1:6379", "real")
    assert settings.redis_url == "redis://127.0.0.1:6379/0"


def test_a_running_stack_is_found_without_options(surroundings):
    running = {"kafka": "127.0.0.1:1", "redis": "127.0.0.1:2", "mode": "embedded", "pids": [1]}
    (surroundings / "run.json").write_text(json.dumps(running))
    settings = ServiceSettings()
    assert (settings.kafka, settings.redis, settings.mode) == ("127.0.0.1:1", "127.0.0.1:2", "embedded")


def test_the_environment_comes_before_the_running_stack(surroundings, monkeypatch):
    (surroundings / "run.json").write_text(json.dumps({"kafka": "127.0.0.1:1"}))
    monkeypatch.setenv("KAFKA", "broker:9092")
    assert ServiceSettings().kafka == "broker:9092"


def test_a_broken_file_counts_as_none(surroundings):
    (surroundings / "run.json").write_text("{")
    assert ServiceSettings().kafka == "127.0.0.1:9092"


def test_the_mode_of_a_running_stack_is_not_that_of_another_broker(surroundings, monkeypatch):
    (surroundings / "run.json").write_text(json.dumps({"kafka": "127.0.0.1:1", "mode": "embedded"}))
    monkeypatch.setenv("KAFKA", "broker:9092")
    assert ServiceSettings().mode == "real"
    assert ServiceSettings(kafka="127.0.0.1:2").mode == "real"
    monkeypatch.setenv("KAFKA", "127.0.0.1:1")
    assert ServiceSettings().mode == "embedded"


def test_what_a_killed_stack_left_behind_does_not_count(surroundings):
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    (surroundings / "run.json").write_text(json.dumps({"pid": ended.pid, "kafka": "127.0.0.1:1", "mode": "embedded"}))
    settings = ServiceSettings()
    assert (settings.kafka, settings.mode) == ("127.0.0.1:9092", "real")
    assert settings.model_fields_set == set()


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("KAFKA", "")
    monkeypatch.setenv("REDIS", "")
    assert (ServiceSettings().kafka, ServiceSettings().redis) == ("127.0.0.1:9092", "127.0.0.1:6379")
