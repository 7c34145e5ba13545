import asyncio
from datetime import timedelta

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from examples import NOW, experiment
from workers import image_event

from schemas.topics import EXPERIMENTS
from stream_workers.experiments import Follower, Timeline

NOW_MS = int(NOW.timestamp() * 1000)


def version(number: int, minutes: float = 0, **changes):
    return experiment(version=number, effective_at=NOW + timedelta(minutes=minutes), **changes)


def timeline(*definitions) -> Timeline:
    made = Timeline()
    for definition in definitions:
        made.add(definition)
    return made


def test_the_broker_timestamp_selects_the_version() -> None:
    held = timeline(version(1), version(3, 20), version(2, 10))
    in_force = [held.in_force(NOW_MS + int(minutes * 60_000)) for minutes in (0, 9.99, 10, 19.99, 20, 99)]
    assert [definition.version for definition in in_force] == [1, 1, 2, 2, 3, 3]


def test_before_all_definitions_the_first_counts() -> None:
    assert timeline(version(2, 10), version(1)).in_force(NOW_MS - 1).version == 1


def test_at_the_same_time_the_later_in_the_log_wins() -> None:
    assert timeline(version(1), version(2)).in_force(NOW_MS).version == 2


def test_a_definition_is_immutable() -> None:
    held = timeline(version(1))
    assert not held.add(version(1, salt="another"))
    assert held.in_force(NOW_MS).salt == "s"


def test_without_definitions_the_fallback_answers() -> None:
    held = timeline()
    held.fallback = "flat"
    assignment = held.assign(image_event(), NOW_MS)
    assert (assignment.answering.model, assignment.answering.version, assignment.experiment) == ("flat", None, None)


def test_a_redelivery_finds_the_same_arm_after_a_change() -> None:
    weights = [
        {"arms": [arm.model_copy(update={"weight": w}) for arm, w in zip(experiment().arms, ws, strict=True)]}
        for ws in ((0.5, 0.5), (0.0, 1.0))
    ]
    held = timeline(version(1, **weights[0]))
    images = [image_event(number) for number in range(100)]
    before = [held.assign(image, NOW_MS) for image in images]
    held.add(version(2, 1, **weights[1]))
    assert [held.assign(image, NOW_MS) for image in images] == before
    after = {held.assign(image, NOW_MS + 60_000).answering.arm for image in images}
    assert after == {"efficientnetb0"}


@pytest.mark.broker
async def test_reads_to_the_end_and_follows(kafka) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    future = admin.create_topics([NewTopic(EXPERIMENTS.name, 1, config=EXPERIMENTS.config())])[EXPERIMENTS.name]
    await asyncio.to_thread(lambda: future.exception(10))
    producer = Producer({"bootstrap.servers": kafka})

    def publish(*definitions) -> None:
        for definition in definitions:
            record = definition.envelope()
            producer.produce(EXPERIMENTS.name, key=record.key, value=record.value, headers=record.headers())
        producer.flush(10)

    held, heard = Timeline(), asyncio.Event()
    publish(*(version(number, number) for number in range(50, 80)))
    producer.produce(EXPERIMENTS.name, key="noise", value=b"noise")
    producer.flush(10)
    follower = Follower(kafka, held, lambda _: heard.set())
    await follower.catch_up()
    assert held.newest().version == 79
    task = asyncio.create_task(follower.follow())
    publish(version(80, 80))
    await asyncio.wait_for(heard.wait(), 2)
    assert held.newest().version == 80
    task.cancel()
    await asyncio.wait([task])
