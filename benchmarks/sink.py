"""The sink alone: how many predictions a second it turns into results and counters, once they are in the topic."""

import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, cast

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from redis import Redis

from benchmarks.rig import service
from ops.broker import Broker
from ops.ports import LOOPBACK
from ops.redis import RedisServer
from ops.settings import TopicSettings
from ops.topics import create_topics
from schemas.counters import OFFSETS_KEY
from schemas.labels import LABELS
from schemas.prediction import Answer, Features, Heatmap, Prediction, Source
from schemas.topics import IMAGES, PREDICTIONS

RESULTS: Final = 60_000
DEADLINE_S: Final = 120


def measure(directory: Path) -> float:
    """Start a sink on a full topic; results a second between a tenth and all of them."""
    with Broker(directory / "kafka") as broker, RedisServer(directory / "redis") as redis:
        create_topics(TopicSettings(kafka=broker.address, redis=redis.address))
        partitions = len(
            AdminClient({"bootstrap.servers": broker.address}).list_topics().topics[IMAGES.name].partitions
        )
        _fill(broker.address, partitions)
        env = {"KAFKA": broker.address, "REDIS": redis.address, "LEAF_VAR": str(directory)}
        with (
            Redis(host=LOOPBACK, port=redis.port) as client,
            service("sink", "result_sink", directory=directory, env=env),
        ):
            _await_applied(client, RESULTS // 10)
            first, start = _applied(client), time.perf_counter()
            _await_applied(client, RESULTS)
            return (_applied(client) - first) / (time.perf_counter() - start)


def _fill(bootstrap: str, partitions: int) -> None:
    dice = random.Random(0)  # noqa: S311  reproducible, not secret
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 50, "queue.buffering.max.messages": RESULTS})
    for number in range(RESULTS):
        offset, partition = divmod(number, partitions)
        prediction = _prediction(partition, offset, dice)
        envelope = prediction.envelope(prediction.image_id)
        producer.produce(
            PREDICTIONS.name, envelope.value, envelope.key, partition=partition, headers=envelope.headers()
        )
        producer.poll(0)
    producer.flush(60)


def _prediction(partition: int, offset: int, dice: random.Random) -> Prediction:
    confidence = dice.uniform(0.5, 1)
    label = dice.choice(LABELS)
    rest = (1 - confidence) / (len(LABELS) - 1)
    model = dice.choice(("resnet50", "efficientnetb0"))
    now = datetime.now(UTC)
    answer = Answer.model_validate(
        {
            "arm": model,
            "model": model,
            "version": "1",
            "engine": "openvino",
            "verdict": "diagnosed",
            "label": label,
            "confidence": confidence,
            "probabilities": [confidence if name == label else rest for name in LABELS],
            "gate": 0.99,
            "heatmap": Heatmap(width=4, height=4, values=[dice.randrange(256) for _ in range(16)]),
            "batch": 32,
            "inference_ms": 100,
        }
    )
    return Prediction(
        image_id=f"bench-{partition:04}-{offset:010}",
        source=Source(
            topic=IMAGES.name,
            topic_id="bench",
            partition=partition,
            offset=offset,
            timestamp_ms=int(now.timestamp() * 1000) - dice.randrange(2000),
        ),
        experiment="default",
        experiment_version=1,
        answer=answer,
        features=Features(brightness=dice.uniform(60, 200), contrast=40, red=110, green=130, blue=90),
        predicted_at=now,
    )


def _applied(client: Redis) -> int:
    """Records behind the stored offsets of the predictions topic."""
    offsets = cast("dict[bytes, bytes]", client.hgetall(OFFSETS_KEY))
    return sum(int(value) for name, value in offsets.items() if name.startswith(PREDICTIONS.name.encode()))


def _await_applied(client: Redis, count: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while _applied(client) < count:
        if time.monotonic() > deadline:
            msg = f"the sink had applied {_applied(client)} of {count} results after {DEADLINE_S} s"
            raise TimeoutError(msg)
        time.sleep(0.01)
