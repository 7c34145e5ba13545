"""Work that goes on beside the requests."""

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from typing import Final

log = logging.getLogger(__name__)

PAUSE_SECONDS: Final = 1


class Background(ABC):
    """One task of the process, from `start` to `stop`; what it did not foresee is logged, and it begins anew."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._live())

    async def stop(self) -> None:
        """End."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _live(self) -> None:
        while True:
            try:
                await self._run()
            except Exception:
                log.exception("%s begins anew", type(self).__name__)
            await asyncio.sleep(PAUSE_SECONDS)

    @abstractmethod
    async def _run(self) -> None:
        """Until it is cancelled."""
