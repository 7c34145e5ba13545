"""How much is let in at once: memory and decoding threads are bounded, the rest is answered 503."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from producer_api.errors import OverloadedError
from schemas.normalisation import Normalised, as_is, normalise

SMALL_BYTES: Final = 64 * 1024
"""Of a file that the event loop itself hashes and looks at."""
T = TypeVar("T")


class Admission:
    """Keeps one process's memory bounded however many uploads arrive.

    1. `reserve` counts the bytes a request may bring before they are read; beyond the budget it is refused at once.
    2. What takes longer with each byte of an upload (decoding, hashing) is done by a fixed number of threads; no more
       wait for one than the reserved bytes allow.
    3. A small file is decoded and hashed at once: that takes at most a few milliseconds, usually a quarter of one.
    """

    def __init__(self, budget_bytes: int, threads: int) -> None:
        self._budget = budget_bytes
        self._held = 0
        self._pool = ThreadPoolExecutor(threads, "decode")

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Hold memory for a body of this many bytes. Raises OverloadedError."""
        if self._held + size > self._budget:
            msg = "more photographs are arriving than this process can hold; none of this request was accepted"
            raise OverloadedError(msg, "Send it again in a moment.")
        self._held += size
        try:
            yield
        finally:
            self._held -= size

    async def beside(self, size: int, work: Callable[[], T]) -> T:
        """Do what takes milliseconds for a large file, of this size, off the event loop where it does."""
        if size <= SMALL_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def normalise(self, data: bytes) -> Normalised:
        """`schemas.normalisation.normalise`, off the event loop unless few bytes already are what an event carries."""
        if len(data) <= SMALL_BYTES and (untouched := as_is(data)):
            return untouched
        return await asyncio.get_running_loop().run_in_executor(self._pool, normalise, data)

    def stop(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
