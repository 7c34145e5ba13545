"""The edge: uploads a CPU second, against a bare endpoint and against Pillow alone."""

import asyncio
import io
import os
import time
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.accounting import cpu_seconds
from benchmarks.client import HEADERS
from benchmarks.photographs import form, large
from benchmarks.rig import service
from ops.broker import Broker
from ops.ports import LOOPBACK, free_port
from ops.settings import TopicSettings
from ops.topics import create_topics
from schemas.normalisation import MAX_SIDE

ROUNDS: Final = 3
SMALL_UPLOADS: Final = 2000
LARGE_UPLOADS: Final = 12
CONNECTIONS: Final = 16


class Edge(NamedTuple):
    """One value a round."""

    fraction: list[float]
    """Uploads a CPU second of a 256 px JPEG: ours over the bare endpoint's."""
    large_ratio: list[float]
    """CPU time of a 12-megapixel upload over Pillow's draft decode and resize of it."""
    per_core_s: float
    """Our uploads of a 256 px JPEG a CPU second."""


def measure(directory: Path, bodies: list[bytes]) -> Edge:
    """Ours and the bare endpoint in turn, under the same load."""
    photograph = large()
    fractions, ratios, own = [], [], 0.0
    ports = free_port(), free_port()
    with Broker(directory / "kafka") as broker:
        create_topics(TopicSettings(kafka=broker.address))
        env = {"KAFKA": broker.address, "LEAF_VAR": str(directory), "LEAF_API_PORT": str(ports[0])}
        bare_env = {"BARE_PORT": str(ports[1])}
        with (
            service("api", "producer_api", directory=directory, env=env, port=ports[0]) as ours,
            service("bare", "benchmarks.edge", directory=directory, env=bare_env, port=ports[1]) as bare,
        ):
            assert ours.pid is not None
            assert bare.pid is not None
            for _ in range(ROUNDS):
                own = _per_cpu_second(ours.pid, ports[0], bodies, SMALL_UPLOADS)
                fractions.append(own / _per_cpu_second(bare.pid, ports[1], bodies, SMALL_UPLOADS))
                upload_ms = 1000 / _per_cpu_second(ours.pid, ports[0], [form(photograph)], LARGE_UPLOADS)
                ratios.append(upload_ms / _pillow_ms(photograph))
    return Edge(fractions, ratios, own)


def _per_cpu_second(pid: int, port: int, bodies: list[bytes], uploads: int) -> float:
    asyncio.run(_upload(port, bodies, max(4, uploads // 10)))
    before = sum(cpu_seconds({"server": pid}).values())
    asyncio.run(_upload(port, bodies, uploads))
    return uploads / (sum(cpu_seconds({"server": pid}).values()) - before)


async def _upload(port: int, bodies: list[bytes], uploads: int) -> None:
    numbers = iter(range(uploads))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def turn() -> None:
            for number in numbers:
                body = bodies[number % len(bodies)]
                url = f"http://{LOOPBACK}:{port}/predict"
                async with session.post(url, data=body, headers=HEADERS) as answer:
                    await answer.read()
                    if answer.status != 202:
                        msg = f"an upload was answered {answer.status}: {await answer.text()}"
                        raise RuntimeError(msg)

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(turn())


def _pillow_ms(photograph: bytes) -> float:
    start = time.process_time()
    for _ in range(LARGE_UPLOADS):
        image = Image.open(io.BytesIO(photograph))
        image.draft("RGB", (MAX_SIDE, MAX_SIDE))
        scale = MAX_SIDE / max(image.size)
        image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BILINEAR)
    return (time.process_time() - start) * 1000 / LARGE_UPLOADS


async def _read(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


if __name__ == "__main__":
    app = Starlette(routes=[Route("/predict", _read, methods=["POST"])])
    uvicorn.run(app, port=int(os.environ["BARE_PORT"]), loop="uvloop", http="httptools", access_log=False)
