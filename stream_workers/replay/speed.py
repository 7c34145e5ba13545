"""How fast the past goes by."""

import asyncio
import time

LONGEST_SLEEP_S = 0.2


class Speed:
    """As fast as it can be computed, or with the pauses there were."""

    def __init__(self, *, realtime: bool) -> None:
        self._realtime = realtime
        self._offset: float | None = None

    async def reached(self, timestamp_ms: int) -> bool:
        """Whether a record's time has come; sleeps a little where it has not. The first record's is now."""
        if not self._realtime:
            return True
        seconds = timestamp_ms / 1000
        if self._offset is None:
            self._offset = time.monotonic() - seconds
        ahead = seconds + self._offset - time.monotonic()
        if ahead <= 0:
            return True
        await asyncio.sleep(min(ahead, LONGEST_SLEEP_S))
        return False
