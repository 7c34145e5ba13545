"""Micro-batching without waiting: while one batch is computed the next one fills; an idle worker starts at once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from stream_workers import metrics
from stream_workers.diagnosis import Diagnosis
from stream_workers.journal import FATAL_DEATHS, Journal
from stream_workers.photograph import Photograph

Publish = Callable[[list[Photograph]], Awaitable[None]]


class Batching:
    """Three stages side by side, each strictly in order of arrival: decode, compute, publish.

    1. `put` waits until there is room: at most two batches are in memory, from here until they are published.
    2. Decoding takes what has arrived, in a thread, while the batch before is computed.
    3. Computing takes what is decoded, at most `limit` photographs, and never waits for more.
    4. Publishing gets the batch when all of it is computed; the next one is computed meanwhile.

    A suspect of the crash journal goes through alone, with nothing else in work.
    """

    def __init__(self, diagnosis: Diagnosis, publish: Publish, journal: Journal, limit: int) -> None:
        self._diagnosis = diagnosis
        self._publish = publish
        self._journal = journal
        self._limit = limit
        self._room = asyncio.BoundedSemaphore(2 * limit)
        self._arrived: deque[Photograph] = deque()
        self._decoded: deque[Photograph] = deque()
        self._computed: asyncio.Queue[list[Photograph]] = asyncio.Queue(1)
        self._has_arrived, self._has_decoded, self._idle = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._begun = 0
        self._decoder = ThreadPoolExecutor(1, thread_name_prefix="decode")

    async def put(self, photograph: Photograph) -> None:
        """Hand over one photograph, as soon as there is room for it."""
        await self._room.acquire()
        self._arrived.append(photograph)
        self._has_arrived.set()

    async def run(self) -> None:
        """Work until cancelled. Any exception is a bug and ends all three stages."""
        async with asyncio.TaskGroup() as group:
            for stage in (self._decoding(), self._computing(), self._publishing()):
                group.create_task(stage)

    async def _decoding(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._has_arrived.wait()
            suspected = self._suspected(self._arrived[0])
            if suspected:
                await self._until_idle()
            chunk = self._take_arrived(alone=suspected)
            self._begun += len(chunk)
            await self._diagnosis.assign(chunk)
            with self._journal.working_on(photograph.position for photograph in chunk):
                await loop.run_in_executor(self._decoder, self._diagnosis.decode, chunk)
            self._decoded.extend(chunk)
            self._has_decoded.set()
            if suspected:
                await self._until_idle()

    async def _computing(self) -> None:
        while True:
            await self._has_decoded.wait()
            batch = [self._decoded.popleft() for _ in range(min(self._limit, len(self._decoded)))]
            if not self._decoded:
                self._has_decoded.clear()
            with self._journal.working_on(photograph.position for photograph in batch):
                await self._diagnosis.compute(batch)
            metrics.BATCH.observe(len(batch))
            await self._computed.put(batch)

    async def _publishing(self) -> None:
        while True:
            batch = await self._computed.get()
            await self._publish(batch)
            self._journal.forget(photograph.position for photograph in batch)
            for _ in batch:
                self._room.release()
            self._begun -= len(batch)
            if not self._begun:
                self._idle.set()

    def _take_arrived(self, *, alone: bool) -> list[Photograph]:
        chunk = [self._arrived.popleft()]
        while self._arrived and not alone and len(chunk) < self._limit and not self._suspected(self._arrived[0]):
            chunk.append(self._arrived.popleft())
        if not self._arrived:
            self._has_arrived.clear()
        return chunk

    def _suspected(self, photograph: Photograph) -> bool:
        deaths = self._journal.deaths(photograph.position)
        if deaths >= FATAL_DEATHS and not photograph.failure:
            photograph.fail("unprocessable", f"{deaths} workers died while they worked on it")
        return deaths > 0 and not photograph.failure

    async def _until_idle(self) -> None:
        while self._begun:
            self._idle.clear()
            await self._idle.wait()
