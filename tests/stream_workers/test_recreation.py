"""The images topic deleted and created again under workers that run."""

import time
from collections.abc import Callable

import pytest
from cluster import Cluster
from confluent_kafka.admin import AdminClient
from sinks import eventually
from workers import image_event

from ops.broker import Broker
from ops.process import Process
from ops.topics import TopicSettings, create_topics, partition_counts
from schemas.topics import IMAGES
from stream_workers.topology import images_topic_id

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


def recreate(broker: Broker) -> None:
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    admin.delete_topics([IMAGES.name], operation_timeout=10)[IMAGES.name].result(10)
    while IMAGES.name in partition_counts(admin):
        time.sleep(0.05)
    create_topics(TopicSettings(kafka=broker.address), experiment=False)


@pytest.mark.parametrize("before", [80, 8], ids=["shorter than before", "longer than before"])
def test_every_image_of_the_new_topic_is_answered_under_its_id(
    own_broker: Broker, cluster: Cluster, start_worker: Callable[..., Process], before: int
) -> None:
    """Its offsets stand for other images than before; under the old id the sink takes their results for duplicates."""
    recreate(own_broker)  # what the other case left
    workers = [start_worker(seconds=0.02) for _ in range(2)]
    admin = AdminClient({"bootstrap.servers": own_broker.address, "log_level": 0})

    def joined() -> None:
        group = admin.describe_consumer_groups([cluster.group])[cluster.group].result(10)
        assert len(group.members) == 2

    eventually(joined)
    old = images_topic_id(own_broker.address, embedded=False)
    positions = cluster.produce(*(image_event(number) for number in range(before)))

    def answered(topic_id: str, count: int, first: int) -> None:
        found = cluster.predictions()
        mine = [said for position in positions for said in found.get(position, []) if said.source.topic_id == topic_id]
        assert {said.image_id for said in mine} == {f"image-{first + number:016d}" for number in range(count)}
        assert sum(cluster.committed().values()) == count

    eventually(lambda: answered(old, before, 0), 60)
    recreate(own_broker)
    new = images_topic_id(own_broker.address, embedded=False)
    assert new != old
    positions = cluster.produce(*(image_event(1000 + number) for number in range(40)))
    for worker in workers:

        def ended(worker: Process = worker) -> None:
            assert not worker.alive()

        eventually(ended)
        assert worker.returncode == 1
        start_worker(seconds=0.02)

    eventually(lambda: answered(new, 40, 1000), 60)
