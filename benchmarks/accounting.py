"""CPU time and memory of named processes with their children."""

from collections.abc import Mapping
from contextlib import suppress

import psutil


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """User and system seconds so far, summed over each process and its children; `api-0`, `api-1` count as `api`."""
    spent: dict[str, float] = {}
    for name, pid in pids.items():
        kind = name.rstrip("0123456789").rstrip("-")
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for member in [process, *process.children(recursive=True)]:
                times = member.cpu_times()
                spent[kind] = spent.get(kind, 0) + times.user + times.system
    return spent


def rss_mb(pid: int) -> float:
    """Resident memory, MB."""
    return float(psutil.Process(pid).memory_info().rss) / 1e6


def difference(before: Mapping[str, float], after: Mapping[str, float], images: int) -> dict[str, float]:
    """Milliseconds an image, by process."""
    return {name: (after[name] - before.get(name, 0)) * 1000 / images for name in after}
