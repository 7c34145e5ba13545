"""Work that goes on beside the requests."""

import asyncio
import contextlib
from abc import ABC, abstractmethod


class Background(ABC):
    """One task of the process, from `start` to `stop`."""

    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @abstractmethod
    async def _run(self) -> None:
        """Until it is cancelled."""
