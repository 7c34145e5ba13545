"""What becomes of a record that is larger than its topic takes: it stops no worker and harms no other record."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError
from confluent_kafka import KafkaError
from workers import photograph

from schemas.prediction import Prediction
from stream_workers import retries
from stream_workers.acknowledgement import Acknowledgement
from stream_workers.assignment import Assignment, Variant
from stream_workers.records import TOO_LARGE
from tests.support.examples import answer


class Broker:
    """Refuses a batch of more than `limits` bytes of a topic; what arrives in one turn is a batch, as in aiokafka."""

    def __init__(self, **limits: int) -> None:
        self.limits = {f"leaf.{name.replace('_', '.')}": limit for name, limit in limits.items()}
        self.stored: list[tuple] = []
        self.batches: dict[str, list[tuple]] = {}

    async def send(self, topic, key, value, partition, headers):
        batch = self.batches.setdefault(topic, [])
        batch.append((topic, key, value, partition, headers))

        async def acknowledged():
            await asyncio.sleep(0.01)
            self.batches.pop(topic, None)
            size = sum(len(k or b"") + len(v) + sum(len(n) + len(t) for n, t in h) for _, k, v, _, h in batch)
            if size > self.limits.get(topic, size):
                raise MessageSizeTooLargeError
            self.stored.append((topic, key, value, partition, headers))

        return asyncio.ensure_future(acknowledged())

    def predictions(self):
        return {
            (told := Prediction.read(key, value, headers)).source.offset: told
            for topic, key, value, _, headers in self.stored
            if topic == "leaf.predictions"
        }


class Event:
    def ack(self) -> bool:
        return True


def diagnosed(number: int, cells: int, shadows: int = 1):
    """A photograph with an answer, whose heatmap has so many cells, and with such shadows."""
    made = photograph(number)
    variants = [Variant(f"shadow-{index}", "resnet50", "1") for index in range(shadows)]
    made.assignment = Assignment(Variant("main", "resnet50", "1"), tuple(variants), "default", 1)
    heatmap = {"width": cells, "height": 1, "values": [200] * cells}
    made.answers = {name: answer(arm=name, heatmap=heatmap) for name in ("main", *(v.arm for v in variants))}
    return made


async def published(broker: Broker, *photographs):
    promise = Acknowledgement(broker.send, "Jd8-topic_id-of-Kafka")
    for one in photographs:
        promise.accept(one, Event())
    await promise.publish(photographs)
    assert promise.unfinished == 0
    return broker.predictions()


async def test_neighbours_of_a_refused_batch_are_stored_as_they_are() -> None:
    found = await published(Broker(predictions=4000), *(diagnosed(number, 100) for number in range(5)))
    assert all(told.answer.heatmap and told.shadows for told in found.values())
    assert len(found) == 5


@pytest.mark.parametrize(
    ("limit", "heatmap", "shadows", "failed"),
    [(20_000, True, 4, False), (4000, False, 4, False), (1400, False, 0, False), (720, False, 0, True)],
)
async def test_a_prediction_gives_up_what_matters_least_first(limit, heatmap, shadows, failed) -> None:
    [told] = (await published(Broker(predictions=limit), diagnosed(0, 500, shadows=4))).values()
    assert bool(told.failure) is failed
    assert len(told.shadows) == shadows
    assert failed or bool(told.answer.heatmap) is heatmap
    assert not failed or told.failure.error == TOO_LARGE


async def test_a_dead_letter_keeps_why_and_whence_even_without_its_own_headers() -> None:
    lost = photograph(0)
    lost.headers = [("x", b"x" * 5000), ("ce_id", b"1")]
    lost.fail("unprocessable", "no image")
    broker = Broker(images_unprocessable=1000)
    await published(broker, lost)
    [(_, key, value, _, headers)] = [one for one in broker.stored if one[0] == "leaf.images.unprocessable"]
    assert (key, value) == (None, b"")
    assert dict(headers)["dead_letter_error"] == b"no image"
    assert dict(headers)["dead_letter_offset"] == b"0"


async def test_a_topic_that_takes_nothing_stops_no_worker(caplog) -> None:
    lost = photograph(0)
    lost.fail("failed", "a test")
    assert await published(Broker(predictions=10, images_failed=10), lost, diagnosed(1, 10)) == {}
    assert "leaf doctor" in caplog.text


async def test_the_broker_away_in_between_is_waited_for(monkeypatch) -> None:
    monkeypatch.setattr("stream_workers.acknowledgement._FIRST_PAUSE_S", 0.01)
    broker, away = Broker(predictions=4000), [KafkaConnectionError()]
    send = broker.send

    async def sometimes(*record):
        if broker.batches.get("retry") is None and len(record[2]) < 4000 and away:
            raise away.pop()
        return await send(*record)

    broker.send = sometimes
    [told] = (await published(broker, diagnosed(0, 3000))).values()
    assert told.answer


class Producer:
    """Refuses what is flushed together, as Kafka does a batch, where it has more than 100 bytes."""

    def __init__(self) -> None:
        self.batch: list[tuple] = []
        self.stored: list[bytes] = []

    def produce(self, *, value, on_delivery, **_record):
        self.batch.append((value, on_delivery))

    def flush(self, _seconds):
        batch, self.batch = self.batch, []
        fits = sum(len(value) for value, _ in batch) <= 100
        for value, on_delivery in batch:
            self.stored += [value] if fits else []
            on_delivery(None if fits else KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None)


def test_of_letters_put_back_together_only_the_one_that_is_too_large_is_refused() -> None:
    producer = Producer()
    errors = retries._store(producer, [{"value": b"x" * size} for size in (40, 101, 40)])
    assert [error is None for error in errors] == [True, False, True]
    assert [len(value) for value in producer.stored] == [40, 40]
