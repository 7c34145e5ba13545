"""The usual design, measured: results a second with its best number of Celery processes."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx

from benchmarks.rig import service
from ops.ports import LOOPBACK, free_port
from ops.redis import RedisServer

IMAGES: Final = 120
WARM_UP: Final = 8
POLL_S: Final = 0.05
DEADLINE_S: Final = 180


def rate(directory: Path, photographs: list[bytes], processes: int) -> float:
    """Upload and poll `IMAGES` photographs through FastAPI, Celery and Redis; results a second."""
    with RedisServer(directory / "redis") as redis:
        env = {"USUAL_REDIS": f"redis://{redis.address}/0"}
        port = free_port()
        web = ("uvicorn", "benchmarks.usual.app:app", "--port", str(port), "--log-level", "warning")
        tasks = ("celery", "-A", "benchmarks.usual.tasks", "worker", "--pool", "prefork")
        workers = (*tasks, "--concurrency", str(processes), "--loglevel", "WARNING")
        with (
            service("usual-web", *web, directory=directory, env=env, port=port),
            service("usual-worker", *workers, directory=directory, env=env),
            httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=30) as client,
        ):
            _finish(client, [_upload(client, photographs[0]) for _ in range(WARM_UP)])
            start = time.perf_counter()
            with ThreadPoolExecutor(8) as pool:
                ids = list(pool.map(lambda n: _upload(client, photographs[n % len(photographs)]), range(IMAGES)))
            _finish(client, ids)
            return IMAGES / (time.perf_counter() - start)


def _upload(client: httpx.Client, photograph: bytes) -> str:
    answer = client.post("/predict", files={"file": ("leaf.jpg", photograph, "image/jpeg")})
    return str(answer.raise_for_status().json()["task_id"])


def _finish(client: httpx.Client, ids: list[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    waiting = list(ids)
    while waiting and time.monotonic() < deadline:
        if client.get(f"/result/{waiting[-1]}").json()["status"] == "SUCCESS":
            waiting.pop()
        else:
            time.sleep(POLL_S)
    if waiting:
        msg = f"the usual design left {len(waiting)} photographs without a result for {DEADLINE_S} s"
        raise TimeoutError(msg)
