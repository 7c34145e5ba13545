"""Committed offsets that name the topic they belong to: a recreated one has the same name and begins at 0."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from schemas.topics import IMAGES
from stream_workers.consumer import UnhurriedConsumer

_SECONDS = 10


class _NamingThread(AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's thread around its Kafka client, whose commits carry the topic's id as their metadata."""

    def _create_consumer(self, loop: asyncio.AbstractEventLoop) -> AIOKafkaConsumer:
        client = super()._create_consumer(loop)
        commit, metadata = client.commit, named(self.consumer.topic_id)

        async def commit_named(offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
            await commit({place: OffsetAndMetadata(kept.offset, metadata) for place, kept in offsets.items()})

        client.commit = commit_named
        return client


class IdentifiedConsumer(UnhurriedConsumer):
    """Reads the images topic `topic_id` from the group's committed offsets, unless those belong to another one.

    A worker that did not know yet that the topic was recreated has committed offsets of the old one, or offsets of the
    new one with predictions under the old id, which the sink may take for duplicates. Both are read again from the
    start. An offset without an id was committed by an older version of the worker, and is believed.
    """

    topic_id: ClassVar[str]

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _NamingThread(self, loop=self.loop, beacon=self.beacon)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Go to the committed offsets; of partitions that others have recreated meanwhile, to the start."""
        offsets = dict(await super().seek_to_committed())
        foreign = await asyncio.to_thread(self._foreign, [place.partition for place in offsets])
        if starts := {place: 0 for place in offsets if place.partition in foreign}:
            self.log.warning("%s was recreated, so read from the start: %s", IMAGES.name, sorted(foreign))
            await self.seek_wait(starts)
        return offsets | starts

    def _foreign(self, partitions: list[int]) -> set[int]:
        """Partitions whose committed offset belongs to another topic of this name."""
        conf: Any = self.app.conf
        admin = AdminClient({"bootstrap.servers": ",".join(f"{u.host}:{u.port}" for u in conf.broker), "log_level": 0})
        request = ConsumerGroupTopicPartitions(conf.id, [Place(IMAGES.name, partition) for partition in partitions])
        found = admin.list_consumer_group_offsets([request], request_timeout=_SECONDS)[conf.id].result()
        ours = {None, "", named(""), named(self.topic_id), self.topic_id}
        return {place.partition for place in found.topic_partitions if place.offset >= 0 and place.metadata not in ours}


def named(topic_id: str) -> str:
    """The metadata of a commit. Ends with a NUL: confluent-kafka's admin client reads past the end of any other."""
    return f"{topic_id}\0"
