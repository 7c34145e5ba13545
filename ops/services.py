"""The project's own services as processes: the same commands as in the container images."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from ops.ports import LOOPBACK, reached_at
from ops.process import Process

ROOT: Final = Path(__file__).parents[1]


def answers(url: str) -> bool:
    """Whether a GET there succeeds."""
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.TransportError:
        return False


def api(name: str, host: str, port: int, *, env: Mapping[str, str], logs: Path) -> Process:
    """One API process."""
    return Process(
        name,
        [sys.executable, "-m", "producer_api"],
        log=logs / f"{name}.log",
        env={**env, "LEAF_API_HOST": host, "LEAF_API_PORT": str(port)},
        cwd=ROOT,
        ready=lambda: answers(f"http://{reached_at(host)}:{port}/readyz"),
    )


def worker(name: str, metrics_port: int, *, env: Mapping[str, str], logs: Path) -> Process:
    """One inference worker; it answers once it has its partitions."""
    return Process(
        name,
        [sys.executable, "-m", "stream_workers"],
        log=logs / f"{name}.log",
        env={**env, "LEAF_WORKER_METRICS_PORT": str(metrics_port), "LEAF_WORKER_METRICS_HOST": LOOPBACK},
        cwd=ROOT,
        ready=lambda: answers(f"http://{LOOPBACK}:{metrics_port}/metrics"),
    )


def sink(name: str, metrics_port: int, *, env: Mapping[str, str], logs: Path) -> Process:
    """The sink; it answers once it has its partitions."""
    return Process(
        name,
        [sys.executable, "-m", "result_sink"],
        log=logs / f"{name}.log",
        env={**env, "LEAF_SINK_METRICS_PORT": str(metrics_port), "LEAF_SINK_METRICS_HOST": LOOPBACK},
        cwd=ROOT,
        ready=lambda: answers(f"http://{LOOPBACK}:{metrics_port}/metrics"),
    )
