import json
import time
from datetime import UTC, datetime
from functools import partial

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from ops.default_experiment import default_experiment, publish_default
from ops.settings import TopicSettings
from ops.topics import check_counts, create_topics, differences, partition_counts
from schemas.card import ModelCard
from schemas.errors import ConfigurationError
from schemas.experiment import Experiment
from schemas.topics import EXPERIMENTS, FAILED, IMAGES, PREDICTIONS, TOPICS, UNPROCESSABLE

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def models(tmp_path):
    """Two cards of each classifier; the newer version sorts before the older by name."""
    for name in ("resnet50", "efficientnetb0"):
        for version, day in (("9", 1), ("10", 2)):
            card = {
                "name": name,
                "version": version,
                "architecture": name,
                "preprocessing": {"px": 128},
                "files": {},
                "batch_ceiling": {"openvino": 8},
                "calibration": {
                    "temperature": 1,
                    "confidence_threshold": 0.5,
                    "gate_temperature": 1,
                    "gate_threshold": 0.5,
                },
                "metrics": {},
                "data_fingerprint": "d",
                "code_fingerprint": "c",
                "recipe": {},
                "trained_at": f"2026-11-0{day}T00:00:00Z",
            }
            path = tmp_path / "models" / name / version / "card.json"
            path.parent.mkdir(parents=True)
            path.write_text(ModelCard.model_validate(card).model_dump_json())
    return tmp_path / "models"


def test_counts_must_be_equal_because_a_prediction_goes_to_its_images_partition_number():
    check_counts({IMAGES.name: 6, PREDICTIONS.name: 6, EXPERIMENTS.name: 1}, None)
    with pytest.raises(ConfigurationError, match=r"leaf\.predictions has 4"):
        check_counts({IMAGES.name: 6, PREDICTIONS.name: 4}, None)


def test_another_count_than_configured_names_the_setting_that_fits():
    with pytest.raises(ConfigurationError, match=r"leaf\.images has 6") as caught:
        check_counts({IMAGES.name: 6, PREDICTIONS.name: 6}, 12)
    assert "LEAF_PARTITIONS=6" in caught.value.remedy


def test_the_default_experiment_halves_between_the_newest_versions(models):
    experiment = default_experiment(models, NOW)
    assert [(arm.name, arm.version, arm.weight) for arm in experiment.arms] == [
        ("resnet50", "10", 0.5),
        ("efficientnetb0", "10", 0.5),
    ]
    assert experiment.effective_at < NOW


def test_a_missing_model_says_how_to_get_one(tmp_path):
    with pytest.raises(ConfigurationError, match="no model resnet50") as caught:
        default_experiment(tmp_path, NOW)
    assert "make train" in caught.value.remedy


@pytest.mark.broker
def test_topics_are_created_as_the_contract_says_and_a_second_time_changes_nothing(topics):
    admin = AdminClient({"bootstrap.servers": topics})
    described = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic.name) for topic in TOPICS])
    found = {resource.name: future.result(10) for resource, future in described.items()}
    for topic in TOPICS:
        assert topic.config().items() <= {name: entry.value for name, entry in found[topic.name].items()}.items()
    again = create_topics(TopicSettings(kafka=topics), experiment=False)
    assert (again.created, again.changed) == ([], [])
    assert again.partitions == {topic.name: topic.partitions or 12 for topic in TOPICS}


@pytest.mark.broker
def test_a_changed_setting_reaches_a_topic_that_exists(topics):
    settings = TopicSettings(kafka=topics, retention_days={IMAGES.name: 3})
    assert create_topics(settings, experiment=False).changed == [IMAGES.name]
    resource = ConfigResource(ResourceType.TOPIC, IMAGES.name)
    admin = AdminClient({"bootstrap.servers": topics})
    wanted = str(3 * 24 * 3600 * 1000)
    while admin.describe_configs([resource])[resource].result(10)["retention.ms"].value != wanted:
        time.sleep(0.05)


def set_limits(kafka, **limits):
    entry = partial(ConfigEntry, "max.message.bytes", incremental_operation=AlterConfigOpType.SET)
    changes = [
        ConfigResource(ResourceType.TOPIC, f"leaf.{name}", incremental_configs=[entry(str(limit))])
        for name, limit in limits.items()
    ]
    admin = AdminClient({"bootstrap.servers": kafka})
    for future in admin.incremental_alter_configs(changes).values():
        future.result(10)
    settings = TopicSettings(kafka=kafka)
    while not (found := differences(admin, settings, [topic.name for topic in TOPICS])):
        time.sleep(0.05)
    return found


@pytest.mark.broker
def test_a_topic_that_takes_less_than_is_written_there_is_given_more(topics):
    found = set_limits(topics, images=20_000, predictions=1000)
    assert found == {
        IMAGES.name: {"max.message.bytes": str(IMAGES.record_bytes)},
        PREDICTIONS.name: {"max.message.bytes": str(PREDICTIONS.record_bytes)},
    }
    assert set(create_topics(TopicSettings(kafka=topics), experiment=False).changed) == set(found)


@pytest.mark.broker
def test_the_dead_letter_topics_take_what_the_images_topic_does(topics):
    found = set_limits(topics, images=5_000_000)
    assert set(found) == {UNPROCESSABLE.name, FAILED.name}
    assert all(int(config["max.message.bytes"]) > 5_000_000 for config in found.values())


@pytest.mark.broker
def test_more_replicas_than_brokers_is_refused_with_the_setting_to_change(kafka, topics):
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.delete_topics([IMAGES.name], operation_timeout=10)[IMAGES.name].result(10)
    while IMAGES.name in partition_counts(admin):
        time.sleep(0.05)
    with pytest.raises(ConfigurationError, match=r"leaf\.images can't be created") as caught:
        create_topics(TopicSettings(kafka=kafka, replication=3), experiment=False)
    assert "LEAF_REPLICATION" in caught.value.remedy


@pytest.mark.broker
def test_the_default_experiment_is_published_once(topics, models):
    settings = TopicSettings(kafka=topics, models_dir=models)
    assert publish_default(settings) == "default@1"
    assert publish_default(settings) is None
    consumer = Consumer({"bootstrap.servers": topics, "group.id": "look", "auto.offset.reset": "earliest"})
    consumer.subscribe([EXPERIMENTS.name])
    message = consumer.poll(15)
    consumer.close()
    experiment = Experiment.read(message.key(), message.value(), message.headers())
    assert experiment.id == "default@1"
    assert json.loads(message.value())["arms"][0]["model"] == "resnet50"
