import json

import pytest
from pydantic import ValidationError

from ops.settings import StackSettings, TopicSettings
from schemas.settings import wrong_variables
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


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("leaf.images=3", "it is not JSON"),
        ('{"leaf.image": 3}', "no topic that expires is named leaf.image"),
        ('{"leaf.runs": 3}', "no topic that expires is named leaf.runs"),
        ('{"leaf.images": 0}', "greater than 0"),
        ('{"leaf.images": 1e14}', "36500 or less"),
        ('{"leaf.images": 1e400}', "must be a number"),
    ],
)
def test_a_retention_that_can_not_be_kept_is_refused(monkeypatch, value, reason):
    monkeypatch.setenv("LEAF_RETENTION_DAYS", value)
    with pytest.raises(ValidationError) as refused:
        TopicSettings()
    (sentence,) = wrong_variables(refused.value)
    assert sentence.startswith("LEAF_RETENTION_DAYS")
    assert reason in sentence


def test_a_wrong_variable_is_named_as_it_is_set(monkeypatch):
    monkeypatch.setenv("LEAF_PARTITIONS", "0")
    with pytest.raises(ValidationError) as refused:
        TopicSettings()
    assert wrong_variables(refused.value)[0].startswith("LEAF_PARTITIONS in the environment is wrong: ")
