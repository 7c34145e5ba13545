import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from examples import answer
from workers import image_event, photograph

from schemas.prediction import Prediction
from stream_workers import acknowledgement
from stream_workers.acknowledgement import Acknowledgement, OrderError
from stream_workers.assignment import Assignment, Variant
from stream_workers.metrics import ANSWERS

TOPIC_ID = "Jd8-topic_id-of-Kafka"


class Broker:
    """Keeps what is sent; acknowledges, refuses, or waits."""

    def __init__(self, *refusals: BaseException) -> None:
        self.refusals = list(refusals)
        self.sent: list[tuple] = []
        self.stored: list[tuple] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def send(self, *record):
        self.sent.append(record)

        async def acknowledged() -> None:
            await self.go_on.wait()
            if self.refusals:
                raise self.refusals.pop(0)
            self.stored.append(record)

        return asyncio.ensure_future(acknowledged())


class Event:
    def __init__(self, number: int, acked: list[int]) -> None:
        self.number, self.log = number, acked

    def ack(self) -> bool:
        self.log.append(self.number)
        return True


def batch(promise: Acknowledgement, acked: list[int], count: int = 3):
    photographs = [photograph(number) for number in range(count)]
    for number, item in enumerate(photographs):
        item.fail("failed", "a test")
        promise.accept(item, Event(number, acked))
    return photographs


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch) -> None:
    monkeypatch.setattr(acknowledgement, "_FIRST_PAUSE_S", 0.01)


async def test_nothing_is_acknowledged_before_the_broker_has_everything() -> None:
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked)
    broker.go_on.clear()
    task = asyncio.create_task(promise.publish(photographs))
    await asyncio.sleep(0.05)
    assert len(broker.sent) == 6
    assert acked == []
    broker.go_on.set()
    await task
    assert acked == [0, 1, 2]


async def test_predictions_go_to_the_photographs_partition_and_key() -> None:
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked)
    await promise.publish(photographs)
    for item in photographs:
        topics = {record[0]: record for record in broker.stored if record[1] == item.key}
        assert {record[3] for record in topics.values()} == {item.position.partition}
        _topic, key, value, _, headers = topics["leaf.predictions"]
        prediction = Prediction.read(key, value, headers)
        assert prediction.source.offset == item.position.offset
        assert topics["leaf.images.failed"][2] == item.value


async def test_refused_records_are_sent_again_and_only_they() -> None:
    broker, acked = Broker(KafkaConnectionError(), KafkaConnectionError()), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    await promise.publish(batch(promise, acked))
    assert len(broker.sent) == 8
    assert len(broker.stored) == 6
    assert acked == [0, 1, 2]


async def test_acknowledging_past_an_unfinished_photograph_is_refused() -> None:
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked)
    with pytest.raises(OrderError):
        await promise.publish(photographs[1:])
    assert acked == []


async def test_a_dead_letter_that_is_too_large_loses_its_value_not_its_place() -> None:
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked, count=1)

    async def send(topic, key, value, *rest):
        if topic == "leaf.images.failed" and value:
            raise MessageSizeTooLargeError
        return await Broker.send(broker, topic, key, value, *rest)

    promise._send = send
    await promise.publish(photographs)
    assert [(record[0], record[2] == b"") for record in broker.stored] == [
        ("leaf.predictions", False),
        ("leaf.images.failed", True),
    ]
    assert acked == [0]


async def test_a_record_without_key_and_value_is_a_dead_letter_too() -> None:
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked, count=1)
    photographs[0].key = photographs[0].value = None
    await promise.publish(photographs)
    assert all(value is not None for _, _, value, *_ in broker.stored)


async def test_an_unknown_error_is_not_swallowed() -> None:
    broker, acked = Broker(ZeroDivisionError()), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    with pytest.raises(ZeroDivisionError):
        await promise.publish(batch(promise, acked))
    assert acked == []


async def test_a_record_whose_id_is_null_is_a_dead_letter_too() -> None:
    """Any header's value may be null in Kafka; an exception here would end every worker that reads the record."""
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked, count=1)
    photographs[0].headers = [("ce_id", None)]
    await promise.publish(photographs)
    _topic, key, value, _, headers = broker.stored[0]
    assert Prediction.read(key, value, headers).image_id == f"position-{TOPIC_ID}-0-0"
    assert ("ce_id", None) in broker.stored[1][4]
    assert acked == [0]


async def test_a_prediction_fits_however_long_its_photographs_key_and_trace_are() -> None:
    """One that the broker refuses for its size would be sent again and again, and its partition would stand still."""
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked, count=2)
    photographs[0].key = b"k" * 1_048_000
    photographs[1].image = image_event(1, traceparent="0" * 1_048_000)
    await promise.publish(photographs)
    for _topic, key, _value, _, headers in broker.stored[::2]:
        assert len(key or b"") + sum(len(value) for _, value in headers) < 2000
    assert broker.stored[1][:2] == ("leaf.images.failed", photographs[0].key)


async def test_a_cameras_name_that_is_not_authenticated_is_marked_in_the_prediction_too() -> None:
    broker, acked = Broker(), []
    promise = Acknowledgement(broker.send, TOPIC_ID)
    photographs = batch(promise, acked, count=2)
    photographs[0].image = image_event(0, camera="roof", unauthenticated=True)
    photographs[1].image = image_event(1, camera="roof")
    await promise.publish(photographs)
    told = [Prediction.read(key, value, headers) for _, key, value, _, headers in broker.stored[::2]]
    assert [prediction.unauthenticated for prediction in told] == [True, False]


async def test_answers_are_counted_by_the_version_that_gave_them() -> None:
    answered = ANSWERS.labels("flat", "5")._value
    before = answered.get()
    item = photograph(0)
    item.assignment = Assignment(Variant("flat", "flat", "5"))
    item.answers["flat"] = answer(arm="flat", model="flat", version="5")
    promise = Acknowledgement(Broker().send, TOPIC_ID)
    promise.accept(item, Event(0, []))
    await promise.publish([item])
    assert answered.get() == before + 1
