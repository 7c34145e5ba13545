"""A whole stack as `make run` starts it, for the tests that use one."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import httpx

from ops.ports import free_port
from ops.process import Process

ROOT = Path(__file__).parents[2]


@dataclass
class Stack:
    """A running `leaf up`."""

    process: Process
    var: Path
    url: str

    @property
    def running(self) -> dict[str, Any]:
        """`run.json`."""
        return dict(json.loads((self.var / "run.json").read_text()))

    def apis(self) -> list[str]:
        """Addresses of the API processes, behind nginx's back."""
        return [f"127.0.0.1:{port}" for name, port in self.running["ports"].items() if name.startswith("api-")]

    def upload(self, photograph: Path, **form: str) -> dict[str, str]:
        """Post a photograph until it is accepted; the body of the 202."""
        deadline = time.monotonic() + 40
        while True:
            try:
                answer = httpx.post(
                    f"{self.url}/predict", files={"file": photograph.read_bytes()}, data=form, timeout=15
                )
                if answer.status_code == 202:
                    return dict(answer.json())
                refusal = answer.text
            except httpx.TransportError as error:
                refusal = repr(error)
            assert time.monotonic() < deadline, f"not accepted: {refusal}"
            time.sleep(0.5)

    def result(self, task_id: str, seconds: float = 60, url: str | None = None) -> dict[str, Any]:
        """Long-poll until the result is there."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = httpx.get(f"{url or self.url}/result/{task_id}", params={"wait": 5}, timeout=15)
                if answer.status_code == 200 and answer.json()["status"] != "queued":
                    return dict(answer.json())
                told = answer.text
            except httpx.TransportError as error:
                told = repr(error)
            assert time.monotonic() < deadline, f"no result: {told}"


def start(var: Path, **env: str) -> Stack:
    """Run `leaf up` until it prints the page's address."""
    port = free_port()
    clean = {"LEAF_VAR": str(var), "PORT": str(port), "PYTHONPATH": str(ROOT)}
    printed = Event()
    process = Process(
        "leaf up", [sys.executable, "-m", "ops.leaf", "up"], log=var / "up.log", env=clean | env, cwd=ROOT,
        ready=printed.is_set, start_seconds=120, stop_seconds=60,
    )  # fmt: skip
    process.on_line = lambda _name, line: printed.set() if "Leafstream is up" in line else None
    process.start()
    return Stack(process, var, f"http://127.0.0.1:{port}")
