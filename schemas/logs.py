"""How every service logs: one line an entry, to stderr, and never the same complaint many times a second."""

import logging
import sys
import time
from typing import Final

#: Client libraries that repeat themselves while the broker or Redis is away: 2,400 lines in half a minute were seen.
NOISY: Final = ("aiokafka", "faust", "mode", "redis", "confluent_kafka", "librdkafka")
QUIET_SECONDS: Final = 5.0


class Throttle(logging.Filter):
    """Lets one record of each library through every `seconds`, and what is more severe; says how many it held back."""

    def __init__(self, seconds: float = QUIET_SECONDS) -> None:
        super().__init__()
        self.seconds = seconds
        self._told: dict[str, tuple[float, int]] = {}
        self._held: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to let the record through."""
        family = record.name.partition(".")[0]
        if family not in NOISY:
            return True
        until, level = self._told.get(family, (0.0, 0))
        now = time.monotonic()
        if now < until and record.levelno <= level:
            self._held[family] = self._held.get(family, 0) + 1
            return False
        self._told[family] = now + self.seconds, record.levelno
        if held := self._held.pop(family, 0):
            record.msg, record.args = f"{record.getMessage()} (and {held} more)", ()
        return True


def configure(level: str = "INFO") -> None:
    """Set up the root logger of a service process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%H:%M:%S"))
    handler.addFilter(Throttle())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
