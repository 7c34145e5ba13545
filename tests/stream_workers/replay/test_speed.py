import asyncio
import time

from stream_workers.replay.speed import Speed


async def test_as_fast_as_possible_waits_for_nothing():
    speed = Speed(realtime=False)
    assert await speed.reached(1_000_000)
    assert await speed.reached(9_000_000_000)


async def test_in_real_time_the_pauses_are_as_they_were():
    speed = Speed(realtime=True)
    start = time.monotonic()
    for timestamp_ms in (1_000_000, 1_000_300, 1_000_300, 1_000_600):
        while not await speed.reached(timestamp_ms):  # noqa: ASYNC110
            await asyncio.sleep(0)
    assert 0.6 <= time.monotonic() - start < 1.5
    assert await speed.reached(999_000)
