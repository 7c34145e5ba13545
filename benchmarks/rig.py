"""Servers for a measurement, started with the same commands as `leaf up` and stopped together."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from ops.ports import LOOPBACK, free_port
from ops.process import Process
from ops.services import answers

ROOT: Final = Path(__file__).parents[1]


@contextmanager
def service(name: str, *command: str, directory: Path, env: Mapping[str, str], port: int = 0) -> Iterator[Process]:
    """Run `python -m ...`; with a port, wait until it answers HTTP."""

    def listens() -> bool:
        try:
            httpx.get(f"http://{LOOPBACK}:{port}/readyz", timeout=2)
        except httpx.TransportError:
            return False
        return True

    log = directory / "log" / f"{name}.log"
    process = Process(
        name, [sys.executable, "-m", *command], log=log, env=env, cwd=ROOT, ready=listens if port else None
    )
    with process:
        yield process


@contextmanager
def stack(directory: Path, **env: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """`leaf up` in `directory`: the address behind nginx, and what `run.json` says."""
    port = free_port()
    url = f"http://{LOOPBACK}:{port}"

    def told() -> dict[str, Any]:
        running: dict[str, Any] = json.loads((directory / "run.json").read_text())
        return running

    settings = {"LEAF_VAR": str(directory), "PORT": str(port)} | env
    process = Process(
        "leaf up", [sys.executable, "-m", "ops.leaf", "up"], log=directory / "up.log", env=settings, cwd=ROOT,
        ready=lambda: answers(f"{url}/readyz") and "nginx" in told()["pids"], start_seconds=120, stop_seconds=60,
    )  # fmt: skip
    with process:
        yield url, told()
