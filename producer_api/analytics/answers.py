"""Answers that take computing: one after the other in a thread of their own, each once for all who ask it together."""

import asyncio
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from fastapi.responses import Response
from pydantic import BaseModel

from schemas.errors import LeafError

T = TypeVar("T")


class Answers:
    """Keeps the event loop and the other requests' threads free, however many ask.

    1. A question waits for its turn in one thread, so what it reads (`CounterStore`) needs no locks.
    2. Who asks the same before its turn has come shares the answer; who asks later gets one that is read later. So
       thirty who ask at once cost one or two answers, and nobody gets an answer older than the question.
    3. Its JSON is written in that thread as well.

    A failure is raised anew for each who waits.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "analytics")
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, Future[bytes | LeafError]] = {}

    def stop(self) -> None:
        """Drop what waits, and end."""
        self._thread.shutdown(cancel_futures=True)

    def prepare(self, work: Callable[[], object]) -> None:
        """Have something done before the first answer; what it raises is ignored."""
        self._thread.submit(work)

    async def json(self, question: Hashable, compute: Callable[[], BaseModel]) -> Response:
        """The answer's body. `question` says all that the answer depends on. Raises what `compute` raises."""

        def work() -> bytes | LeafError:
            with self._lock:
                del self._waiting[question]
            try:
                return compute().model_dump_json(by_alias=True).encode()
            except LeafError as error:
                return error

        with self._lock:
            if (pending := self._waiting.get(question)) is None:
                pending = self._waiting[question] = self._thread.submit(work)
        answer = await asyncio.shield(asyncio.wrap_future(pending))
        if isinstance(answer, LeafError):
            raise type(answer)(str(answer), answer.remedy)
        return Response(answer, media_type="application/json")

    async def run(self, work: Callable[[], T]) -> T:
        """Something else that reads what the answers read. Raises what it raises."""
        return await asyncio.wrap_future(self._thread.submit(work))
