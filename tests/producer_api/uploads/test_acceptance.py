import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    TopicAuthorizationFailedError,
)

from producer_api.uploads import producers
from producer_api.uploads.acceptance import Acceptance
from producer_api.uploads.limits import CLIENT_BYTES
from schemas.envelope import Envelope
from schemas.errors import BrokerUnavailableError, EventTooLargeError
from schemas.topics import IMAGES
from tests.producer_api.conftest import until


def envelope(size=4):
    return Envelope(
        id="a" * 32,
        type="leaf.image.accepted",
        source="/uploads",
        key="a" * 32,
        value=b"x" * size,
        content_type="image/jpeg",
        time=datetime(2026, 1, 1, tzinfo=UTC),
        extensions={},
    )


ENVELOPE = envelope()


class Producer:
    """Answers each record with the next of its outcomes, the last one for ever; None: never."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.sent = self.stopped = 0

    async def start(self):
        pass

    async def stop(self):
        self.stopped += 1

    async def send(self, *_args, **_kwargs):
        self.sent += 1
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if isinstance(outcome, Exception):
            loop.call_soon(future.set_exception, outcome)
        elif outcome is not None:
            future.set_result(outcome)
        return future


class Batching(Producer):
    """As aiokafka does: what is sent in one turn is a batch; one that is refused costs the producer its sequence."""

    def __init__(self, limit):
        super().__init__(None)
        self.limit, self.batch, self.lost = limit, [], False

    async def send(self, _topic, value, _key, headers):
        self.sent += 1
        loop = asyncio.get_running_loop()
        if not self.batch:
            loop.call_later(0.01, self.flush)
        self.batch.append((value, loop.create_future()))
        return self.batch[-1][1]

    def flush(self):
        batch, self.batch = self.batch, []
        too_large = sum(len(value) for value, _ in batch) > self.limit
        for _, future in batch:
            if self.lost or too_large:
                future.set_exception(OutOfOrderSequenceNumber() if self.lost else MessageSizeTooLargeError())
            else:
                future.set_result("acknowledged")
        self.lost = self.lost or too_large


class Limits:
    """Of a broker whose limit changes when it is read."""

    def __init__(self, *limits):
        self.limits = list(limits)
        self.read = 0

    def of(self, _topic):
        return self.limits[0]

    @property
    def smallest(self):
        return self.limits[0]

    def learn(self, _topic, refused):
        self.limits[0] = refused - 1

    async def refresh(self, since):
        self.read += 1
        if self.read > 1 and len(self.limits) > 1:  # the first is the start's
            self.limits.pop(0)


@pytest.fixture
async def accepting(monkeypatch):
    """An Acceptance that meets these producers one after the other."""
    monkeypatch.setattr(producers, "REPLACE_SECONDS", 0)
    made = []

    def make(*given, limits=(CLIENT_BYTES,), deadline=5.0):
        acceptance = Acceptance("127.0.0.1:1", deadline, 0)
        acceptance._limits = acceptance._producers._limits = Limits(*limits)
        acceptance._producers._make = lambda _batch: next(stock)
        stock = iter(given)
        acceptance.start()
        made.append(acceptance)
        return acceptance

    yield make
    for acceptance in made:
        await acceptance.stop()


async def connected(acceptance):
    await until(lambda: acceptance.connected)
    return acceptance


async def test_accepts_what_is_acknowledged(accepting):
    await (await connected(accepting(Producer("acknowledged")))).accept(IMAGES, ENVELOPE)


async def test_refuses_before_the_broker_was_reached():
    with pytest.raises(BrokerUnavailableError, match="not confirmed"):
        await Acceptance("127.0.0.1:1", 0.1, 0).accept(IMAGES, ENVELOPE)


async def test_gives_up_waiting_at_the_deadline(accepting):
    acceptance = await connected(accepting(Producer(None), deadline=0.1))
    with pytest.raises(BrokerUnavailableError, match=r"within 0\.1 s"):
        await acceptance.accept(IMAGES, ENVELOPE)


async def test_a_full_producer_is_kept(accepting):
    producer = Producer(KafkaTimeoutError(), "acknowledged")
    acceptance = await connected(accepting(producer))
    with pytest.raises(BrokerUnavailableError):
        await acceptance.accept(IMAGES, ENVELOPE)
    await acceptance.accept(IMAGES, ENVELOPE)
    assert producer.stopped == 0


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), ProducerClosed()])
async def test_a_producer_that_lost_its_sequence_is_replaced_and_the_record_sent_by_the_next(accepting, error):
    lost, next_one = Producer(error), Producer("acknowledged")
    acceptance = await connected(accepting(lost, next_one))
    await acceptance.accept(IMAGES, ENVELOPE)
    assert (lost.sent, next_one.sent) == (1, 1)
    await until(lambda: lost.stopped)


@pytest.mark.parametrize(
    "error", [TopicAuthorizationFailedError(), KafkaError("Unexpected error during batch delivery")]
)
async def test_any_other_error_that_no_retry_helps_is_not_confirmed_and_ends_nothing(accepting, error):
    broken, next_one = Producer(error), Producer("acknowledged")
    acceptance = await connected(accepting(broken, next_one))
    with pytest.raises(BrokerUnavailableError, match="not confirmed"):
        await acceptance.accept(IMAGES, ENVELOPE)
    await acceptance.accept(IMAGES, ENVELOPE)
    assert next_one.sent == 1


async def test_many_that_wait_for_a_broken_producer_replace_it_once(accepting):
    lost, next_one = Producer(OutOfOrderSequenceNumber()), Producer("acknowledged")
    acceptance = await connected(accepting(lost, next_one))
    await asyncio.gather(*(acceptance.accept(IMAGES, ENVELOPE) for _ in range(20)))
    assert (lost.sent, next_one.sent) == (20, 20)


async def test_a_broken_producer_that_has_no_successor_in_time_confirms_nothing(accepting):
    acceptance = await connected(accepting(Producer(OutOfOrderSequenceNumber()), deadline=0.2))
    with pytest.raises(BrokerUnavailableError, match="not confirmed"):
        await acceptance.accept(IMAGES, ENVELOPE)


async def test_an_event_above_the_limit_is_refused_before_it_is_sent(accepting):
    producer = Producer("acknowledged")
    acceptance = await connected(accepting(producer, limits=[2000]))
    with pytest.raises(EventTooLargeError, match=r"2000 \(max\.message\.bytes\)") as caught:
        await acceptance.accept(IMAGES, envelope(2000))
    assert caught.value.status == 413
    assert "doctor" in caught.value.remedy
    assert producer.sent == 0
    await acceptance.accept(IMAGES, envelope(1000))


async def test_a_limit_that_was_raised_is_noticed_before_anything_is_refused(accepting):
    acceptance = await connected(accepting(Producer("acknowledged"), limits=[2000, 20000]))
    await acceptance.accept(IMAGES, envelope(10000))


async def test_a_limit_that_was_lowered_refuses_the_large_and_sends_the_small_of_the_same_batch_again(accepting):
    lost, next_one = Producer(MessageSizeTooLargeError()), Producer("acknowledged")
    acceptance = await connected(accepting(lost, next_one, limits=[20000, 2000]))
    large, small = await asyncio.gather(
        acceptance.accept(IMAGES, envelope(10000)), acceptance.accept(IMAGES, envelope(1000)), return_exceptions=True
    )
    assert isinstance(large, EventTooLargeError)
    assert small is None
    assert next_one.sent == 1


async def test_where_the_limit_is_not_told_a_record_refused_again_is_too_large(accepting):
    acceptance = await connected(accepting(*(Producer(MessageSizeTooLargeError()) for _ in range(4))))
    with pytest.raises(EventTooLargeError, match="does not take that"):
        await acceptance.accept(IMAGES, ENVELOPE)
    with pytest.raises(EventTooLargeError, match=r"max\.message\.bytes"):  # and no producer is left to break
        await acceptance.accept(IMAGES, ENVELOPE)


@pytest.mark.parametrize("error", [KafkaConnectionError(), ValueError("a bug")])
async def test_a_start_that_fails_is_tried_again_whatever_it_was(accepting, monkeypatch, error):
    class Failing(Producer):
        async def start(self):
            raise error

    monkeypatch.setattr(producers, "RECONNECT_SECONDS", 0)
    failing = [Failing(None), Failing(None)]
    acceptance = await connected(accepting(*failing, Producer("acknowledged")))
    await acceptance.accept(IMAGES, ENVELOPE)
    assert [producer.stopped for producer in failing] == [1, 1]


async def test_where_the_limit_is_not_told_neighbours_of_a_large_record_are_stored(accepting):
    acceptance = await connected(accepting(*(Batching(5000) for _ in range(20))))
    sizes = [9000, 10, 20, 8000, 30, *range(40, 60)]
    sent = (acceptance.accept(IMAGES, envelope(size)) for size in sizes)
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [EventTooLargeError] * 2
    assert outcomes[0]
    assert outcomes[3]


async def test_says_once_that_it_is_away_and_once_that_it_is_back(accepting, caplog):
    acceptance = await connected(accepting(Producer(*[KafkaTimeoutError()] * 3, "acknowledged")))
    caplog.set_level("INFO")
    caplog.clear()
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError):
            await acceptance.accept(IMAGES, ENVELOPE)
    for _ in range(3):
        await acceptance.accept(IMAGES, ENVELOPE)
    assert len(caplog.messages) == 2


async def test_starts_and_stops_without_a_broker():
    acceptance = Acceptance("127.0.0.1:1", 0.1, 0)
    acceptance.start()
    await asyncio.sleep(0.05)
    assert not acceptance.connected
    await acceptance.stop()


async def test_a_client_that_goes_away_is_no_outage(accepting, caplog):
    acceptance = await connected(accepting(Producer(None), deadline=60))
    caplog.clear()
    waiting = asyncio.create_task(acceptance.accept(IMAGES, ENVELOPE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not caplog.messages
