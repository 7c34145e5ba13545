"""What of this machine's pictures the images topic holds already, in `var/ingest/`."""

import fcntl
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import ConfigurationError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS read_to (source TEXT, partition INTEGER, offset INTEGER, PRIMARY KEY (source, partition));
CREATE TABLE IF NOT EXISTS topic (id TEXT PRIMARY KEY);
"""


class Journal:
    """Ids known to be in the topic, and for each source the offsets below which all of its ids are known.

    One file for all ingests of this machine, so a folder that was moved is recognised too. It belongs to one topic
    (by Kafka's id): a recreated topic is empty, and so is its journal.
    """

    def __init__(self, directory: Path, topic_id: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(directory / "journal.sqlite", timeout=30, check_same_thread=False)
        self._database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_SCHEMA}")
        with self._lock, self._database:
            if self._database.execute("SELECT id FROM topic").fetchall() != [(topic_id,)]:
                self._forget()
                self._database.execute("INSERT INTO topic VALUES (?)", (topic_id,))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def holds(self, image_id: str) -> bool:
        """Whether the topic is known to hold, or to have held, this image."""
        with self._lock:
            found = self._database.execute("SELECT 1 FROM held WHERE id = ?", (image_id,)).fetchone()
        return found is not None

    def read_to(self, source: str) -> dict[int, int]:
        """Partition to offset; empty for a source never ingested."""
        with self._lock:
            rows = self._database.execute(
                "SELECT partition, offset FROM read_to WHERE source = ?", (source,)
            ).fetchall()
        return dict(rows)

    def note(self, ids: Iterable[str], sources: Iterable[str] = (), offsets: Mapping[int, int] | None = None) -> None:
        """Add ids and, in the same transaction, move the offsets of these sources."""
        with self._lock, self._database:
            self._database.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((image_id,) for image_id in ids))
            rows = ((source, partition, offset) for source in sources for partition, offset in (offsets or {}).items())
            self._database.executemany("INSERT OR REPLACE INTO read_to VALUES (?, ?, ?)", rows)

    def begin_anew(self) -> None:
        """Forget everything: the log was set back, what it holds must be read again."""
        with self._lock, self._database:
            self._forget(keep_topic=True)

    def _forget(self, *, keep_topic: bool = False) -> None:
        for table in ("held", "read_to") if keep_topic else ("held", "read_to", "topic"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608


@contextmanager
def locked(directory: Path, source_hash: str, title: str) -> Iterator[None]:
    """Hold a source; the operating system lets go of it also on kill -9. Raises ConfigurationError if another does."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / f"{source_hash}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"{title} is being ingested already"
            raise ConfigurationError(msg, "Wait for the other ingest, or stop it.") from None
        yield
