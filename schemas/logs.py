"""How every service logs: one line an entry, to stderr, and never the same complaint many times a second."""

import logging
import sys
import time
from typing import Final

#: Client libraries that repeat themselves while the broker or Redis is away: 2,400 lines in half a minute were seen.
NOISY: Final = ("aiokafka", "faust", "mode", "redis", "confluent_kafka", "librdkafka")
QUIET_SECONDS: Final = 5.0


class Throttle(logging.Filter):
    """Lets one record per logger name and level through every `seconds`, and says how many it held back."""

    def __init__(self, seconds: float = QUIET_SECONDS) -> None:
        super().__init__()
        self.seconds = seconds
        self._until: dict[tuple[str, int], float] = {}
        self._held: dict[tuple[str, int], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to let the record through."""
        family = record.name.partition(".")[0]
        if family not in NOISY:
            return True
        key, now = (family, record.levelno), time.monotonic()
        if now < self._until.get(key, 0):
            self._held[key] = self._held.get(key, 0) + 1
            return False
        self._until[key] = now + self.seconds
        if held := self._held.pop(key, 0):
            record.msg, record.args = f"{record.getMessage()} (and {held} more like it)", ()
        return True


def configure(level: str = "INFO") -> None:
    """Set up the root logger of a service process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    handler.addFilter(Throttle())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
