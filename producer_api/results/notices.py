"""Waiting for results: one subscription per process wakes all who wait for an image id."""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from producer_api.background import Background
from producer_api.outage import Outage
from producer_api.results.store import ResultStore
from schemas.result import DONE_CHANNEL, Result

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 2
"""A waiter looks by itself this often: pub/sub forgets what is said while a connection is away."""
RECONNECT_SECONDS: Final = 1


class Notices(Background):
    """Turns the sink's word that a result is there into an answer, without asking Redis again and again.

    1. A waiter registers for its id first and looks afterwards, so that a result written in between is not missed.
    2. The process's one subscription wakes it; failing that, a slow poll finds the result.
    3. `stop` wakes everybody, so that a process told to stop does not keep its clients waiting.
    """

    def __init__(self, redis: "Redis", store: ResultStore) -> None:
        self._redis = redis
        self._store = store
        self._waiters: dict[str, set[asyncio.Event]] = {}
        self._outage = Outage(log, "hearing of results from Redis")
        self.stopping = False

    def wake_all(self) -> None:
        """Let every waiter return with what there is; the process is about to stop."""
        self.stopping = True
        for events in self._waiters.values():
            for event in events:
                event.set()

    async def stop(self) -> None:
        """Let every waiter return, and end."""
        self.wake_all()
        await super().stop()

    async def result(self, image_id: str, seconds: float) -> Result | None:
        """The result as soon as it is there, or None after that time. Raises StoreUnavailableError."""
        deadline = asyncio.get_running_loop().time() + seconds
        with self._registered(image_id) as woken:
            while True:
                found = await self._store.read(image_id)
                left = deadline - asyncio.get_running_loop().time()
                if found or left <= 0 or self.stopping:
                    return found
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), min(left, POLL_SECONDS))
                woken.clear()

    @contextlib.contextmanager
    def _registered(self, image_id: str) -> Iterator[asyncio.Event]:
        woken = asyncio.Event()
        self._waiters.setdefault(image_id, set()).add(woken)
        try:
            yield woken
        finally:
            self._waiters[image_id].discard(woken)
            if not self._waiters[image_id]:
                del self._waiters[image_id]

    async def _run(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(DONE_CHANNEL)
                    self._outage.ended()
                    while True:
                        if message := await channel.get_message(timeout=None):
                            for woken in self._waiters.get(message["data"].decode(), ()):
                                woken.set()
            except (RedisError, OSError) as error:
                self._outage.began(error)
                await asyncio.sleep(RECONNECT_SECONDS)
