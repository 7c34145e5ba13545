import json

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
