"""The last in the queue for the processor."""

import contextlib
import os
from pathlib import Path


def yield_processor() -> None:
    """Let every other process go first; to be called before any thread is started.

    Nice 19 has 1/68 of the weight of a process at the default. Where Linux shares out by session (autogroup), that
    counts only inside of the session, so the session itself is made nice too.
    """
    os.nice(19)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")
