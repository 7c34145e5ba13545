"""`python -m ops.chaos.overload`: ten times more photographs than the worker can compute, and what every process holds.

The worker is let run a tenth of the time (SIGSTOP, SIGCONT), so that this machine can offer ten times what it computes.
"""

import asyncio
import json
import os
import shutil
import signal
import threading
import time
from collections import Counter
from typing import Annotated, Final

import httpx
import psutil
import typer

from ops.chaos.fleet import Fleet
from ops.chaos.growers import photograph
from ops.process import Process
from schemas.settings import var_dir

PERIOD_S: Final = 1.0
PHOTOGRAPHS: Final = 24


class Brake(threading.Thread):
    """Lets a process run only a part of each second."""

    def __init__(self, process: Process, part: float) -> None:
        super().__init__(name="brake", daemon=True)
        self._process = process
        self._part = part
        self._released = threading.Event()

    def run(self) -> None:
        """Brake until released."""
        while not self._released.wait(self._part * PERIOD_S):
            self._signal(signal.SIGSTOP)
            self._released.wait((1 - self._part) * PERIOD_S)
            self._signal(signal.SIGCONT)

    def release(self) -> None:
        """Let it run."""
        self._released.set()
        self.join()

    def _signal(self, number: int) -> None:
        if pid := self._process.pid:
            os.kill(pid, number)


async def _offer(urls: list[str], rate: float, seconds: float, answers: Counter[int]) -> None:
    """Upload in open loop, whatever the answers."""
    bodies = [photograph(number) for number in range(PHOTOGRAPHS)]
    async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=256)) as client:

        async def upload(number: int) -> None:
            files = {"file": ("leaf.jpg", bodies[number % PHOTOGRAPHS], "image/jpeg")}
            answer = await client.post(f"{urls[number % len(urls)]}/predict", files=files)
            answers[answer.status_code] += 1

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(int(rate * seconds)):
                await asyncio.sleep(max(0, began + number / rate - time.monotonic()))
                group.create_task(upload(number))


def _watch(processes: dict[str, Process], samples: list[dict[str, int]], ended: threading.Event) -> None:
    while not ended.wait(1):
        samples.append({n: psutil.Process(p.pid).memory_info().rss for n, p in processes.items() if p.pid})


def main(
    rate: Annotated[float, typer.Option(help="Uploads a second")] = 100,
    seconds: Annotated[float, typer.Option(help="How long")] = 90,
    part: Annotated[float, typer.Option(help="Part of the time that the worker may run")] = 0.1,
) -> None:
    """Offer more than can be computed; print the answers and each process's memory, MB: half-way, and the most."""
    directory = var_dir() / "overload"
    shutil.rmtree(directory, ignore_errors=True)
    answers: Counter[int] = Counter()
    samples: list[dict[str, int]] = []
    ended = threading.Event()
    with Fleet(directory) as fleet:
        httpx.post(f"{fleet.urls[0]}/predict", files={"file": photograph(0)}).raise_for_status()
        while _counted(fleet) < 1:  # the models are loaded
            time.sleep(0.5)
        services = [*fleet.apis, *fleet.workers, *fleet.sinks, fleet.broker, fleet.redis]
        watcher = threading.Thread(target=_watch, args=({p.name: p for p in services}, samples, ended))
        brake = Brake(fleet.workers[0], part)
        watcher.start()
        brake.start()
        began = time.monotonic()
        asyncio.run(_offer(fleet.urls, rate, seconds, answers))
        took, done = time.monotonic() - began, _counted(fleet) - 1
        ended.set()
        watcher.join()
        brake.release()
    half, last = samples[len(samples) // 2], samples[-1]
    told = {
        "offered_per_s": round(answers.total() / took, 1),
        "computed_per_s": round(done / took, 1),
        "answers": dict(answers),
        "rss_mb": {n: [round(v / 1e6) for v in (half[n], max(s[n] for s in samples))] for n in last},
    }
    print(json.dumps(told))


def _counted(fleet: Fleet) -> int:
    return int(httpx.get(f"{fleet.urls[0]}/analytics", timeout=20).raise_for_status().json()["images"])


if __name__ == "__main__":
    typer.run(main)
