"""With the real broker: what happens to uploads while an operator changes how large a record the topic takes."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from producer_api.uploads.acceptance import LIMIT_SECONDS, Acceptance
from producer_api.uploads.limits import CLIENT_BYTES, Limits
from schemas.errors import EventTooLargeError
from schemas.image import ImageEvent
from schemas.topics import IMAGES, KAFKA_MAX_BYTES
from tests.producer_api.conftest import until
from tests.support.cluster import Cluster
from tests.support.limits import TAKES_BYTES, lower_limit, restore_limit

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]


def event(number: int, size: int) -> ImageEvent:
    return ImageEvent(id=f"image-{number:016d}", jpeg=b"x" * size, accepted_at=datetime.now(UTC), key="one-partition")


@pytest.fixture
def limited(topics: str) -> Iterator[None]:
    lower_limit(topics)
    yield
    restore_limit(topics)


@pytest.fixture
async def acceptance(topics: str) -> AsyncIterator[Acceptance]:
    made = Acceptance(topics, 20, 0)
    made.start()
    yield made
    await made.stop()


async def test_reads_what_the_broker_takes(topics):
    limits = Limits(topics)
    assert limits.of(IMAGES) == CLIENT_BYTES
    await limits.refresh(0)
    assert limits.of(IMAGES) == KAFKA_MAX_BYTES
    lower_limit(topics)
    await limits.refresh(0)
    assert limits.of(IMAGES) == KAFKA_MAX_BYTES
    await limits.refresh(time.monotonic())
    assert limits.of(IMAGES) == TAKES_BYTES


async def test_a_refused_record_costs_nobody_else_anything(topics, acceptance):
    await until(lambda: acceptance.connected)
    await acceptance.accept(IMAGES, event(0, 1000).envelope())
    lower_limit(topics)
    sizes = [1000, 30_000, 2000, 1500, 40_000, 18_000, *[500] * 60]
    sent = (acceptance.accept(IMAGES, event(number, size).envelope()) for number, size in enumerate(sizes, 1))
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    said = {number: outcome for number, outcome in enumerate(outcomes, 1) if outcome is not None}
    assert {number: type(outcome) for number, outcome in said.items()} == dict.fromkeys((2, 5), EventTooLargeError)
    restore_limit(topics)
    await asyncio.sleep(LIMIT_SECONDS)
    assert not await refused(acceptance, event(100, 30_000))
    await acceptance.stop()
    records = [message for message in Cluster(topics).read(IMAGES.name) if message.key()]
    stored = Counter(ImageEvent.read(m.key(), m.value(), m.headers()).id for m in records)
    wanted = {event(number, 0).id for number in range(len(sizes) + 1) if number not in said} | {event(100, 0).id}
    assert stored == dict.fromkeys(wanted, 1)


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(_limits: Limits) -> dict[str, int]:
        raise TopicAuthorizationFailedError

    monkeypatch.setattr(Limits, "_read", read)


@pytest.mark.usefixtures("limited", "denied")
async def test_without_the_right_to_read_the_limit_the_small_are_stored_and_the_large_refused_once(acceptance, caplog):
    await until(lambda: acceptance.connected)
    sizes = [30_000, 1000, 1500, 25_000, 2000]
    sent = (acceptance.accept(IMAGES, event(number, size).envelope()) for number, size in enumerate(sizes))
    outcomes = await asyncio.gather(*sent, return_exceptions=True)
    refusals = {number: type(outcome) for number, outcome in enumerate(outcomes) if outcome}
    assert refusals == dict.fromkeys((0, 3), EventTooLargeError)
    caplog.clear()
    assert await refused(acceptance, event(9, 30_000))
    assert "replaced" not in caplog.text


@pytest.mark.usefixtures("limited")
async def test_a_topic_that_always_took_less_refuses_before_sending(acceptance):
    await until(lambda: acceptance.connected)
    assert await refused(acceptance, event(1, 19_900))
    await asyncio.gather(*(acceptance.accept(IMAGES, event(number, 9000).envelope()) for number in range(10)))


async def refused(acceptance: Acceptance, image: ImageEvent) -> bool:
    try:
        await acceptance.accept(IMAGES, image.envelope())
    except EventTooLargeError:
        return True
    return False
