import pytest
from confluent_kafka.admin import AdminClient

from ops import services
from ops.process import free_port
from schemas.topics import IMAGES, PREDICTIONS


@pytest.mark.broker
@pytest.mark.parametrize(
    ("service", "group", "topic"),
    [(services.worker, "leaf-workers", IMAGES), (services.sink, "leaf-sink", PREDICTIONS)],
)
def test_it_answers_only_when_it_has_its_partitions(service, group, topic, topics, redis_server, tmp_path):
    env = {"KAFKA": topics, "REDIS": redis_server, "MODE": "real", "LEAF_VAR": str(tmp_path)}
    admin = AdminClient({"bootstrap.servers": topics})
    with service("service", free_port(), env=env, logs=tmp_path):
        members = admin.describe_consumer_groups([group])[group].result(10).members
        held = [
            at.partition for member in members for at in member.assignment.topic_partitions if at.topic == topic.name
        ]
    assert sorted(held) == list(range(12))
