"""Keep a set of processes running, and stop them in the right order."""

import time
from collections.abc import Callable
from typing import Final

from ops.process import Process
from schemas.errors import ConfigurationError, LeafError

STABLE_SECONDS: Final = 60.0
"""A process that ran this long and then died starts with a clean record."""
MAX_DEATHS: Final = 5
"""So many deaths in a row, none after a stable run, and starting again is no longer worth trying."""


class Supervisor:
    """Starts processes in the order they are added, starts again what dies, stops in the opposite order.

    A process that dies is started again: the first time at once, then after 1, 2 and 4 s. One that dies five times
    without having run for a minute in between ends the whole (`watch` raises); so does one of `irreplaceable`, whose
    memory others depend on. Nothing survives `stop`.
    """

    def __init__(self, tell: Callable[[str], None], changed: Callable[[], None]) -> None:
        self.processes: list[Process] = []
        self.irreplaceable: set[str] = set()
        self._tell = tell
        self._changed = changed
        self._started: dict[str, float] = {}
        self._deaths: dict[str, int] = {}
        self._due: dict[str, float] = {}

    def launch(self, process: Process) -> None:
        """Add a process and start it, without waiting until it answers."""
        self.processes.append(process)
        process.launch()
        self._started[process.name] = time.monotonic()

    def watch(self) -> None:
        """Watch for ever. Raises ConfigurationError where a process keeps dying."""
        while True:
            self.check()
            time.sleep(0.2)

    def check(self) -> None:
        """One look at every process."""
        for process in self.processes:
            if process.alive():
                process.tend()
                continue
            if process.name not in self._due:
                self._bury(process)
            if time.monotonic() >= self._due[process.name]:
                self._revive(process)

    def stop(self) -> None:
        """Stop all, last started first."""
        for process in reversed(self.processes):
            process.stop()

    def _bury(self, process: Process) -> None:
        """Count a death and decide when to start again."""
        name, now = process.name, time.monotonic()
        stable = now - self._started[name] >= STABLE_SECONDS
        deaths = self._deaths[name] = 1 if stable else self._deaths.get(name, 0) + 1
        if name in self.irreplaceable or deaths >= MAX_DEATHS:
            error = process.died()
            msg = f"{error} It can't be started again." if name in self.irreplaceable else f"{error} It keeps dying."
            raise ConfigurationError(msg, error.remedy)
        self._due[name] = now + (0 if deaths == 1 else 2 ** (deaths - 2))
        self._tell(f"{name} {process.ending()}; it is started again")
        process.kill()

    def _revive(self, process: Process) -> None:
        del self._due[process.name]
        self._started[process.name] = time.monotonic()
        try:
            process.launch()
        except LeafError as error:
            self._tell(f"{process.name}: {error.advice}")
            self._bury(process)
        else:
            self._changed()
