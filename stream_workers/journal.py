"""The crash journal: which photographs were being worked on when a worker was killed."""

import fcntl
import json
import logging
import os
import uuid
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from stream_workers.photograph import Position

log = logging.getLogger(__name__)

FATAL_DEATHS = 2
"""After so many deaths with it in work a photograph is dead-lettered undecoded."""


class Journal:
    """Finds the photograph that kills whoever computes it, so that it can't stop a partition for ever.

    1. The positions of what is being decoded or computed stand in this process's file, and only then: what waits for
       its turn, for a model or for the broker accuses nobody if a kill comes from outside. The page cache keeps the
       file when the process dies; losing power accuses nobody.
    2. The process holds a lock on its file. A file that nobody holds belonged to a worker that was killed: whoever
       looks first, when it starts or is given partitions, adds a death to each position in it and removes it.
    3. A suspect, a position with one death, is computed alone, so that the innocent of its batch are not accused again.
    4. With two deaths it is not decoded any more. A position that was dealt with is forgotten.

    Workers of one machine share the directory. On other machines the count begins anew.
    """

    def __init__(self, directory: Path, topic_id: str) -> None:
        self._directory = directory / topic_id
        self._directory.mkdir(parents=True, exist_ok=True)
        self._tally = self._directory / "deaths.json"
        self._deaths: dict[Position, int] = {}
        self._in_work: set[Position] = set()
        with self._locked():
            # In containers every worker has the same process id, before and after a restart.
            self._path = self._directory / f"{os.getpid()}-{uuid.uuid4().hex}.journal"
            self._file = self._path.open("wb", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        self.adopt()

    def deaths(self, position: Position) -> int:
        """How many workers died with this position in work."""
        return self._deaths.get(position, 0)

    @contextmanager
    def working_on(self, positions: Iterable[Position]) -> Iterator[None]:
        """These are decoded or computed meanwhile. An exception leaves them accused, since the process ends by it."""
        held = set(positions)
        self._in_work |= held
        self._write()
        yield
        self._in_work -= held
        self._write()

    def forget(self, positions: Iterable[Position]) -> None:
        """These are acknowledged."""
        if settled := self._deaths.keys() & set(positions):
            with self._locked():
                self._deaths = self._read_tally()
                for position in settled:
                    self._deaths.pop(position, None)
                self._write_tally()

    def adopt(self) -> None:
        """Count the deaths of workers that are gone."""
        with self._locked():
            self._deaths = self._read_tally()
            for path in sorted(self._directory.glob("*.journal")):
                if path != self._path and (positions := _abandoned(path)) is not None:
                    path.unlink()
                    for position in positions:
                        self._deaths[position] = self.deaths(position) + 1
                    if positions:
                        log.warning("a worker was killed with %d photographs in work", len(positions))
            self._write_tally()

    def close(self) -> None:
        """A stop in good order accuses nobody."""
        with self._locked():  # else a worker that is looking just then finds a file that is gone when it opens it
            self._path.unlink(missing_ok=True)
            self._file.close()

    def _write(self) -> None:
        # One write from the file's start: a count, so that what a longer list left behind it does not matter.
        numbers = array("q", [len(self._in_work), *chain.from_iterable(self._in_work)])
        os.pwrite(self._file.fileno(), numbers, 0)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read_tally(self) -> dict[Position, int]:
        try:
            return {Position(*position): deaths for *position, deaths in json.loads(self._tally.read_bytes())}
        except (OSError, ValueError):
            return {}

    def _write_tally(self) -> None:
        partial = self._tally.with_suffix(".partial")
        partial.write_text(json.dumps([[*position, deaths] for position, deaths in self._deaths.items()]))
        partial.replace(self._tally)


def _abandoned(path: Path) -> list[Position] | None:
    """The positions in a journal whose process is gone; None while it lives."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        content = file.read()
    numbers = array("q", content[: len(content) // 8 * 8])
    count = numbers[0] if numbers else 0
    if not 0 <= 2 * count < len(numbers):
        return []  # nothing was written, or not by a journal
    return [Position(*numbers[at : at + 2]) for at in range(1, 2 * count, 2)]
