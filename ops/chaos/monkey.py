"""What goes wrong, and when: a seeded schedule of kills and of worse."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ops.chaos.fleet import Fleet, strike
from ops.chaos.poison import produce_poison

KINDS: Final = ("worker", "sink", "api", "redis", "broker")
#: How often each kind is picked beyond its guaranteed two.
WEIGHTS: Final = (5, 4, 3, 1, 1)
ALWAYS_HARD: Final = ("redis", "broker")
DOWN_S: Final = (0.3, 3.0)


class Monkey(threading.Thread):
    """Strikes `kills` times within `seconds`, each kind at least twice, and makes things worse in between.

    1. scales the workers 1 -> 4 -> 2,
    2. copies Redis's files, and later kills Redis and starts it on that older copy,
    3. empties Redis once under running sinks,
    4. produces poison straight into the images topic.

    Whatever was killed is started again after 0.3 to 3 s. An error in a strike ends the run (`error`).
    """

    def __init__(self, fleet: Fleet, *, kills: int, seconds: float, seed: int, tell: Callable[[str], None]) -> None:
        super().__init__(name="monkey", daemon=True)
        self.kills: Counter[str] = Counter(dict.fromkeys(KINDS, 0))
        self.poison: set[tuple[int, int]] = set()
        self.error: BaseException | None = None
        self._fleet = fleet
        self._seconds = seconds
        self._dice = random.Random(seed)  # noqa: S311  reproducible, not secret
        self._tell = tell
        self._copy: Path | None = None
        self._stopping = threading.Event()
        self._plan = self._schedule(kills)

    def stop(self) -> None:
        """Do not begin another strike."""
        self._stopping.set()

    def run(self) -> None:
        """Carry out the schedule."""
        started = time.monotonic()
        try:
            for when, what, action in self._plan:
                while not self._stopping.wait(min(1, max(0, started + when - time.monotonic()))):
                    if time.monotonic() >= started + when:
                        break
                    self._fleet.revive()
                if self._stopping.is_set():
                    return
                self._tell(f"{time.monotonic() - started:5.1f} s  {what}")
                action()
        except BaseException as error:  # noqa: BLE001  handed to the main thread
            self.error = error

    def _schedule(self, kills: int) -> list[tuple[float, str, Callable[[], None]]]:
        kinds = [kind for kind in KINDS for _ in range(2)]
        kinds += self._dice.choices(KINDS, WEIGHTS, k=max(0, kills - len(kinds)))
        self._dice.shuffle(kinds)
        seen: Counter[str] = Counter()
        strikes: list[tuple[float, str, Callable[[], None]]] = []
        for number, kind in enumerate(kinds):
            graceful = kind not in ALWAYS_HARD and seen[kind] % 2 == 1
            seen[kind] += 1
            at = self._seconds * (0.05 + 0.85 * number / len(kinds))
            how = "SIGTERM" if graceful else "kill -9"
            strikes.append((at, f"{how} {kind}", lambda k=kind, g=graceful: self._strike(k, g)))  # type: ignore[misc]
        worse: list[tuple[float, str, Callable[[], None]]] = [
            (0.15, "scale workers to 4", lambda: self._fleet.scale(4)),
            (0.25, "copy Redis", self._copy_redis),
            (0.35, "poison", lambda: self._poison(3)),
            (0.45, "set Redis back to the copy", self._set_redis_back),
            (0.55, "scale workers to 2", lambda: self._fleet.scale(2)),
            (0.65, "empty Redis", self._fleet.flush_redis),
            (0.75, "poison", lambda: self._poison(4)),
        ]
        return sorted(strikes + [(part * self._seconds, what, act) for part, what, act in worse], key=lambda s: s[0])

    def _strike(self, kind: str, graceful: bool) -> None:
        process = self._dice.choice(self._fleet.of_kind(kind))
        strike(process, graceful=graceful)
        self.kills[kind] += 1
        time.sleep(self._dice.uniform(*DOWN_S))
        if kind in ALWAYS_HARD:
            process.start()
        else:
            process.launch()

    def _copy_redis(self) -> None:
        self._copy = self._fleet.copy_redis()

    def _set_redis_back(self) -> None:
        assert self._copy is not None
        self._fleet.set_redis_back(self._copy)

    def _poison(self, count: int) -> None:
        self.poison |= produce_poison(self._fleet.broker.address, self._fleet.directory, count, self._dice)
