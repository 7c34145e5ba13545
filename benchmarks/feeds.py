"""What growers notice of feeds: uploads' latency beside an ingest of 10,000 pictures and a full-speed replay."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import aiohttp
import numpy as np

from benchmarks.client import HEADERS
from benchmarks.feeding import await_records, produce_images, records
from benchmarks.photographs import write_folder
from benchmarks.pipeline import UNLIMITED
from benchmarks.rig import service, stack
from schemas.topics import IMAGES, PREDICTIONS, REPLAYS, Topic

ROUNDS: Final = 2
PICTURES: Final = 10_000
PAST: Final = 8000
"""Images there are to replay before the first ingest: a fast machine replays 270 a second."""
UPLOADS_PER_S: Final = 10
SECONDS: Final = 20
WAIT_S: Final = 600
"""The replay stands last in the queue for a busy machine's processor."""
ENV: Final = UNLIMITED | {"LEAF_API_MAX_BACKLOG_SECONDS": str(WAIT_S)}
"""The past, which all comes at once, is to close no door."""


class Feeds(NamedTuple):
    """p95 from upload to answer beside a feed, over p95 of the same stack without, a ratio for each round."""

    ingest: list[float]
    replay: list[float]


def measure(directory: Path, photographs: list[bytes], bodies: list[bytes]) -> Feeds:
    """Without, beside the ingest, beside the replay, and again."""
    found = Feeds([], [])
    with stack(directory, **ENV) as (url, running):
        kafka = running["kafka"]
        produce_images(kafka, photographs, PAST)
        await_records(kafka, PREDICTIONS, PAST, WAIT_S)
        for turn in range(ROUNDS):
            alone = _p95(url, bodies)
            folder = write_folder(directory / f"pictures-{turn}", photographs, PICTURES)
            with _beside(directory, kafka, IMAGES, "ingest", str(folder), "--camera", f"bench-{turn}"):
                found.ingest.append(_p95(url, bodies) / alone)
            with _beside(directory, kafka, REPLAYS, "replay", "--run", f"bench-{turn}"):
                found.replay.append(_p95(url, bodies) / alone)
    return found


@contextmanager
def _beside(directory: Path, kafka: str, topic: Topic, *command: str) -> Iterator[None]:
    """Run a `leaf` command from when it has written to the topic. Raises RuntimeError if it ends before we do."""
    before = records(kafka, topic)
    env = {"KAFKA": kafka, "LEAF_VAR": str(directory)}
    with service(command[0], "ops.leaf", *command, directory=directory, env=env) as process:
        await_records(kafka, topic, before + 1, WAIT_S)
        yield
        if not process.alive():
            msg = f"leaf {command[0]} ended before the uploads did: {process.last_words()}"
            raise RuntimeError(msg)


def _p95(url: str, bodies: list[bytes]) -> float:
    return float(np.percentile(asyncio.run(_answers(url, bodies)), 95))


async def _answers(url: str, bodies: list[bytes]) -> list[float]:
    """Seconds from when each upload was due to its answer, open loop."""
    start = time.perf_counter()
    async with aiohttp.ClientSession(url, raise_for_status=True) as session, asyncio.TaskGroup() as group:

        async def upload(number: int) -> float:
            due = start + number / UPLOADS_PER_S
            await asyncio.sleep(due - time.perf_counter())
            async with session.post("/predict", data=bodies[number % len(bodies)], headers=HEADERS) as answer:
                task = (await answer.json())["task_id"]
            async with session.get(f"/result/{task}", params={"wait": 30}) as answer:
                assert (await answer.json())["status"] == "done"
            return time.perf_counter() - due

        uploads = [group.create_task(upload(number)) for number in range(SECONDS * UPLOADS_PER_S)]
    return [task.result() for task in uploads]
