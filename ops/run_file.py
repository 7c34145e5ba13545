"""`var/run.json`: which addresses, ports and process ids are in force while a stack runs."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import ConfigurationError
from schemas.settings import var_dir


def path() -> Path:
    """The file."""
    return var_dir().absolute() / "run.json"


def read() -> dict[str, Any] | None:
    """What the file says, or None where no stack runs (a file that a killed stack left behind does not count)."""
    try:
        running: dict[str, Any] = json.loads(path().read_text())
    except (OSError, ValueError):
        return None
    with (path().parent / "stack.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return running
    return None


def write(running: dict[str, Any]) -> None:
    """Replace the file as a whole."""
    partial = path().with_suffix(".partial")
    with _writable():
        partial.write_text(json.dumps(running, indent=2) + "\n")
        partial.replace(path())


@contextmanager
def only_one() -> Iterator[None]:
    """Hold the lock of this directory's one stack; the file goes when it ends. Raises ConfigurationError."""
    with _writable():
        path().parent.mkdir(parents=True, exist_ok=True)
        lock = (path().parent / "stack.lock").open("a")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            where = (read() or {}).get("url", "an address it has not told yet")
            msg = f"a stack runs already, at {where}"
            raise ConfigurationError(msg, "Stop it with Ctrl-C first, or use another directory: LEAF_VAR=...") from None
        path().unlink(missing_ok=True)
        try:
            yield
        finally:
            path().unlink(missing_ok=True)


@contextmanager
def _writable() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = f"{path().parent} can't be written: {error.strerror}"
        raise ConfigurationError(msg, "Free some space there, or use another directory: LEAF_VAR=...") from error
