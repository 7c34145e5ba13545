"""The load generator: uploads in closed or open loop, and the moment each result is in Redis."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from redis.asyncio import Redis

from benchmarks.photographs import BOUNDARY
from schemas.result import DONE_CHANNEL

Upload = Callable[[int, float], Coroutine[None, None, None]]
HEADERS: Final = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
CONNECTIONS: Final = 32
LAST_RESULT_S: Final = 60


@dataclass
class Load:
    """Uploads `bodies` in turn to `url` and watches for their results; times are `time.perf_counter()` seconds."""

    url: str
    redis_url: str
    bodies: list[bytes]
    begun: dict[str, float] = field(default_factory=dict)
    """Task id to the moment its upload was due."""
    done: dict[str, float] = field(default_factory=dict)
    """Image id to the moment its result was told."""
    refused: int = 0

    async def peak(self, images: int, in_flight: int) -> float:
        """Results a second with at most `in_flight` photographs on their way; the first and last tenth don't count."""
        room = asyncio.Semaphore(in_flight)

        async def offer(upload: Upload) -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(images):
                    await room.acquire()
                    group.create_task(upload(number, time.perf_counter()))

        await self._run(offer, images, room.release)
        ends = sorted(self.done.values())
        first, last = len(ends) // 10, len(ends) * 9 // 10
        return (last - first) / (ends[last] - ends[first])

    async def steady(self, rate: float, seconds: float) -> list[float]:
        """Latencies, ms, at `rate` uploads a second whatever the answers: waiting before an upload counts too."""
        images = int(rate * seconds)

        async def offer(upload: Upload) -> None:
            start = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for number in range(images):
                    due = start + number / rate
                    await asyncio.sleep(max(0, due - time.perf_counter()))
                    group.create_task(upload(number, due))

        await self._run(offer, images, lambda: None)
        return sorted((self.done[task] - begun) * 1000 for task, begun in self.begun.items() if task in self.done)

    async def _run(
        self, offer: Callable[[Upload], Coroutine[None, None, None]], images: int, on_done: Callable[[], None]
    ) -> None:
        self.begun.clear()
        self.done.clear()
        self.refused = 0
        finished = asyncio.Event()
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        async with aiohttp.ClientSession(connector=connector) as session, Redis.from_url(self.redis_url) as redis:
            channel = redis.pubsub(ignore_subscribe_messages=True)
            await channel.subscribe(DONE_CHANNEL)

            def ended() -> None:
                on_done()
                if len(self.done) + self.refused >= images:
                    finished.set()

            async def watch() -> None:
                async for message in channel.listen():
                    self.done[message["data"].decode()] = time.perf_counter()
                    ended()

            async def upload(number: int, due: float) -> None:
                body = self.bodies[number % len(self.bodies)]
                async with session.post(f"{self.url}/predict", data=body, headers=HEADERS) as answer:
                    if answer.status == 202:
                        self.begun[(await answer.json())["task_id"]] = due
                    else:
                        self.refused += 1
                        ended()

            watching = asyncio.create_task(watch())
            try:
                await offer(upload)
                await asyncio.wait_for(finished.wait(), LAST_RESULT_S)
            finally:
                watching.cancel()
                await channel.aclose()  # type: ignore[no-untyped-call]
