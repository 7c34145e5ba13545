"""The folder in which several API processes of one port put their metrics together."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "leaf-metrics-"
LOCK: Final = "lock"


@contextmanager
def shared_metrics(processes: int) -> Iterator[None]:
    """Name the folder in the environment, for more than one process; it goes when they end.

    One that a killed API left behind goes with the next start: nobody holds its lock any more.
    """
    if processes == 1:
        yield
        return
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX) as shared, Path(shared, LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
        try:
            yield
        finally:
            del os.environ["PROMETHEUS_MULTIPROC_DIR"]


def _sweep(directory: Path) -> None:
    for lock in directory.glob(f"{PREFIX}*/{LOCK}"):
        try:
            with lock.open("a") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:  # in use, or another user's
            continue
