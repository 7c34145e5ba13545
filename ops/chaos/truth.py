"""The count: what the topics hold against what the API tells."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from confluent_kafka import Consumer, TopicPartition

from schemas.prediction import Prediction
from schemas.topics import FAILED, IMAGES, PREDICTIONS, UNPROCESSABLE, Topic

READERS: Final = 16
READ_S: Final = 30.0


@dataclass
class Topics:
    """What the log says, read from its start to its end."""

    images: set[str] = field(default_factory=set)
    """Distinct ids in the images topic."""
    predictions: int = 0
    """Records in the predictions topic, redelivered and retried ones included."""
    dead_letters: set[tuple[str, str]] = field(default_factory=set)
    """Distinct source positions in both dead-letter topics."""
    out_of_order: int = 0
    """Frames of a camera whose first prediction came after that of a later frame."""

    @classmethod
    def read(cls, bootstrap: str) -> "Topics":
        """Read the topics."""
        found = cls()
        for message in _records(bootstrap, IMAGES):
            found.images.add(dict(message.headers())["ce_id"].decode())
        predicted: set[tuple[int, int]] = set()
        last: dict[str, int] = defaultdict(lambda: -1)
        for message in _records(bootstrap, PREDICTIONS):
            prediction = Prediction.read(message.key(), message.value(), message.headers())
            position = (prediction.source.partition, prediction.source.offset)
            found.predictions += 1
            if position in predicted:
                continue
            predicted.add(position)
            if camera := prediction.camera:
                found.out_of_order += position[1] < last[camera]
                last[camera] = max(last[camera], position[1])
        for topic in (UNPROCESSABLE, FAILED):
            for message in _records(bootstrap, topic):
                headers = {name: bytes(value).decode() for name, value in message.headers() or ()}
                found.dead_letters.add((headers["dead_letter_partition"], headers["dead_letter_offset"]))
        return found


async def results(urls: list[str], ids: set[str]) -> set[str]:
    """The ids whose result `GET /result` tells, asked of the API processes in turn."""
    told: set[str] = set()
    waiting = list(ids)

    async def read(client: httpx.AsyncClient, url: str) -> None:
        while waiting:
            task_id = waiting.pop()
            answer = await client.get(f"{url}/result/{task_id}")
            if answer.is_success and answer.json()["status"] in {"done", "failed"}:
                told.add(task_id)

    async with httpx.AsyncClient(timeout=20) as client, asyncio.TaskGroup() as group:
        for number in range(READERS):
            group.create_task(read(client, urls[number % len(urls)]))
    return told


def _records(bootstrap: str, topic: Topic) -> Iterator[Any]:
    """Every record of a topic, each partition in order."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "chaos-count", "enable.auto.commit": False})
    try:
        starts, ends = [], {}
        for partition in consumer.list_topics(topic.name, timeout=READ_S).topics[topic.name].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, partition), timeout=READ_S)
            if low < high:
                starts.append(TopicPartition(topic.name, partition, low))
                ends[partition] = high
        consumer.assign(starts)
        while ends:
            message = consumer.poll(READ_S)
            if message is None or message.error():
                msg = f"{topic.name} can't be read: {message.error() if message else 'no answer'}"
                raise RuntimeError(msg)
            if (end := ends.get(message.partition())) is None:
                continue  # it came after the look at the ends
            yield message
            if message.offset() >= end - 1:
                del ends[message.partition()]
    finally:
        consumer.close()
