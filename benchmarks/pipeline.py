"""Leafstream as it ships, measured: peak throughput, latency under load, CPU time by process."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.accounting import cpu_seconds, difference
from benchmarks.client import Load
from benchmarks.rig import stack

WARM_UP: Final = 200
IMAGES: Final = 2400
IN_FLIGHT: Final = 256
"""Enough for full batches of both models at once; more would only wait."""
STEADY_S: Final = 12.0
LOADS: Final = (10, 50, 80)
"""Percent of the peak."""
UNLIMITED: Final = {"LEAF_POST_RATE": "100000", "LEAF_POST_BURST": "100000"}
"""One client is the whole load here."""


@dataclass(frozen=True)
class Peak:
    """One run at full load."""

    images_per_s: float
    cpu_ms: dict[str, float]
    """CPU milliseconds an image, by process."""


def peak(directory: Path, bodies: list[bytes]) -> Peak:
    """Start the stack, warm it up, and upload as fast as results come back."""
    with stack(directory, **UNLIMITED) as (url, running):
        load = Load(url, f"redis://{running['redis']}", bodies)
        asyncio.run(load.peak(WARM_UP, IN_FLIGHT))
        before = cpu_seconds(running["pids"])
        images_per_s = asyncio.run(load.peak(IMAGES, IN_FLIGHT))
        return Peak(images_per_s, difference(before, cpu_seconds(running["pids"]), IMAGES))


def latencies(directory: Path, bodies: list[bytes], peak_per_s: float) -> dict[str, dict[str, float]]:
    """Upload-to-result milliseconds in open loop: percent of peak -> p50, p95, p99."""
    told: dict[str, dict[str, float]] = {}
    with stack(directory, **UNLIMITED) as (url, running):
        load = Load(url, f"redis://{running['redis']}", bodies)
        asyncio.run(load.peak(WARM_UP, IN_FLIGHT))
        for percent in LOADS:
            ms = asyncio.run(load.steady(peak_per_s * percent / 100, STEADY_S))
            told[str(percent)] = _percentiles(ms)
    return told


def _percentiles(ms: list[float]) -> dict[str, Any]:
    p50, p95, p99 = np.percentile(ms, (50, 95, 99))
    return {"p50": round(float(p50), 1), "p95": round(float(p95), 1), "p99": round(float(p99), 1)}
