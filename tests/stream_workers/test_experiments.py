import asyncio
from datetime import timedelta

import pytest
from confluent_kafka import Producer
from examples import NOW, experiment
from workers import image_event

from schemas.timeline import Timeline
from schemas.topics import EXPERIMENTS
from stream_workers.experiments import Experiments
from stream_workers.metrics import SKIPPED

NOW_MS = int(NOW.timestamp() * 1000)


def version(number: int, minutes: float = 0, **changes):
    return experiment(version=number, effective_at=NOW + timedelta(minutes=minutes), **changes)


def held(*definitions) -> Experiments:
    made = Experiments("nowhere:1", "flat", lambda _: None)
    made.timeline = Timeline(definitions)
    return made


def test_without_definitions_the_fallback_answers() -> None:
    assignment = held().assign(image_event(), NOW_MS)
    assert (assignment.answering.model, assignment.answering.version, assignment.experiment) == ("flat", None, None)


def test_the_broker_timestamp_selects_the_version() -> None:
    experiments = held(version(1), version(2, 10))
    minutes = (0, 9.99, 10, 99)
    found = [experiments.assign(image_event(), NOW_MS + 60_000 * minute).experiment_version for minute in minutes]
    assert found == [1, 1, 2, 2]


def test_a_redelivery_finds_the_same_arm_after_a_change() -> None:
    arms = experiment().arms
    moved = [arm.model_copy(update={"weight": weight}) for arm, weight in zip(arms, (0.0, 1.0), strict=True)]
    images = [image_event(number) for number in range(100)]
    before = [held(version(1)).assign(image, NOW_MS) for image in images]
    changed = held(version(1), version(2, 1, arms=moved))
    assert [changed.assign(image, NOW_MS) for image in images] == before
    assert {changed.assign(image, NOW_MS + 60_000).answering.arm for image in images} == {"efficientnetb0"}


@pytest.mark.broker
async def test_reads_to_the_end_and_follows(own_broker) -> None:
    producer = Producer({"bootstrap.servers": own_broker.address})

    def publish(*definitions) -> None:
        for definition in definitions:
            record = definition.envelope()
            producer.produce(EXPERIMENTS.name, key=record.key, value=record.value, headers=record.headers())
        producer.flush(10)

    heard = asyncio.Event()
    publish(*(version(number, number) for number in range(50, 80)))
    producer.produce(EXPERIMENTS.name, key="noise", value=b"noise")
    producer.flush(10)
    skipped = SKIPPED.labels(EXPERIMENTS.name)._value
    before = skipped.get()
    experiments = Experiments(own_broker.address, "flat", lambda _: heard.set())
    await experiments.catch_up()
    assert skipped.get() == before + 1
    assert experiments.timeline.line[-1].version == 79
    task = asyncio.create_task(experiments.follow())
    publish(version(80, 80))
    await asyncio.wait_for(heard.wait(), 2)
    assert experiments.timeline.line[-1].version == 80
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.broker
async def test_definitions_of_any_producer_are_read(own_broker) -> None:
    """aiokafka can't read most codecs: a worker died of the first such definition, at every start."""
    codecs = ("none", "gzip", "snappy", "lz4", "zstd")
    foreign = [("__TypeId__", b"\xff"), ("x", None), ("x", b"")]
    for number, codec in enumerate(codecs):
        producer = Producer({"bootstrap.servers": own_broker.address, "compression.type": codec})
        record = version(1000 + number, 1000 + number).envelope()
        # Alike enough that compressing it is worth it, else the producer sends it as it is.
        headers = [*foreign, *record.headers(), ("filling", b"x" * 10_000)]
        producer.produce(EXPERIMENTS.name, key=b"\xff\xfe", value=record.value, headers=headers)
        producer.produce(EXPERIMENTS.name, key=f"default@{1000 + number}", value=None)
        producer.flush(10)
    experiments = Experiments(own_broker.address, "flat", lambda _: None)
    await experiments.catch_up()
    found = {each.version for each in experiments.timeline.versions("default")}
    assert {1000 + number for number in range(len(codecs))} < found
    task = asyncio.create_task(experiments.follow())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
