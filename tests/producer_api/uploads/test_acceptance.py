import asyncio
from datetime import UTC, datetime

import pytest
from aiokafka.errors import KafkaTimeoutError, OutOfOrderSequenceNumber

from producer_api.uploads.acceptance import Acceptance
from schemas.envelope import Envelope
from schemas.errors import BrokerUnavailableError
from schemas.topics import IMAGES

ENVELOPE = Envelope(
    id="a" * 32,
    type="leaf.image.accepted",
    source="/uploads",
    key="a" * 32,
    value=b"jpeg",
    content_type="image/jpeg",
    time=datetime(2026, 1, 1, tzinfo=UTC),
    extensions={},
)


class Producer:
    def __init__(self, outcome=None):
        self.outcome = outcome

    async def send(self, *_args, **_kwargs):
        future = asyncio.get_running_loop().create_future()
        if isinstance(self.outcome, Exception):
            future.set_exception(self.outcome)
        elif self.outcome is not None:
            future.set_result(self.outcome)
        return future


@pytest.fixture
def deaths():
    return []


@pytest.fixture
def acceptance(deaths):
    return Acceptance("127.0.0.1:1", 0.1, 0, on_fatal=lambda: deaths.append(1))


async def test_accepts_what_is_acknowledged(acceptance):
    acceptance._producer = Producer("acknowledged")
    await acceptance.accept(IMAGES, ENVELOPE)


async def test_refuses_before_the_broker_was_reached(acceptance, deaths):
    with pytest.raises(BrokerUnavailableError, match="not confirmed"):
        await acceptance.accept(IMAGES, ENVELOPE)
    assert not deaths


async def test_gives_up_waiting_at_the_deadline(acceptance, deaths):
    acceptance._producer = Producer()
    with pytest.raises(BrokerUnavailableError, match=r"within 0\.1 s"):
        await acceptance.accept(IMAGES, ENVELOPE)
    assert not deaths


async def test_a_retriable_error_leaves_the_process_alive(acceptance, deaths):
    acceptance._producer = Producer(KafkaTimeoutError())
    with pytest.raises(BrokerUnavailableError):
        await acceptance.accept(IMAGES, ENVELOPE)
    assert not deaths


async def test_an_error_that_no_retry_mends_ends_the_process(acceptance, deaths):
    acceptance._producer = Producer(OutOfOrderSequenceNumber())
    with pytest.raises(BrokerUnavailableError, match="not confirmed"):
        await acceptance.accept(IMAGES, ENVELOPE)
    assert deaths


async def test_says_once_that_it_is_away_and_once_that_it_is_back(acceptance, caplog):
    caplog.set_level("INFO")
    acceptance._producer = Producer(KafkaTimeoutError())
    for _ in range(3):
        with pytest.raises(BrokerUnavailableError):
            await acceptance.accept(IMAGES, ENVELOPE)
    acceptance._producer = Producer("acknowledged")
    for _ in range(3):
        await acceptance.accept(IMAGES, ENVELOPE)
    assert len(caplog.messages) == 2


async def test_starts_and_stops_without_a_broker(acceptance):
    acceptance.start()
    await asyncio.sleep(0.05)
    assert not acceptance.connected
    await acceptance.stop()


async def test_a_client_that_goes_away_is_no_outage(acceptance, caplog):
    acceptance._producer = Producer()
    acceptance._deadline = 60
    waiting = asyncio.create_task(acceptance.accept(IMAGES, ENVELOPE))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not caplog.messages
