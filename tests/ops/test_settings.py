import json

import pytest
from pydantic import ValidationError

from ops.settings import StackSettings, TopicSettings
from schemas.topics import IMAGES


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path))
    for name in ("KAFKA", "REDIS", "MODE", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_set_means_own_servers_and_any_port():
    settings = StackSettings()
    assert (settings.kafka, settings.redis, settings.mode, settings.port) == (None, None, None, None)


def test_make_variables_reach_the_stack_and_empty_ones_count_as_unset(monkeypatch):
    monkeypatch.setenv("KAFKA", "broker:9092")
    monkeypatch.setenv("REDIS", "")
    monkeypatch.setenv("PORT", "8123")
    settings = StackSettings()
    assert (settings.kafka, settings.redis, settings.port) == ("broker:9092", None, 8123)


def test_the_stack_does_not_take_the_addresses_of_a_stack_that_ran_before(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"kafka": "127.0.0.1:1", "mode": "embedded"}))
    assert StackSettings().kafka is None
    assert StackSettings().mode is None
    assert TopicSettings().kafka == "127.0.0.1:1"


def test_retention_is_set_by_topic(monkeypatch):
    monkeypatch.setenv("LEAF_RETENTION_DAYS", json.dumps({IMAGES.name: 2.5}))
    assert TopicSettings().retention_days == {IMAGES.name: 2.5}


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "70000"), ("MODE", "dream"), ("LEAF_WORKERS", "0"), ("REDIS", "cache")]
)
def test_a_wrong_value_is_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        StackSettings()
