"""The load: growers and cameras that upload at a steady rate and try again until they are told "accepted"."""

import asyncio
import io
import itertools
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Final

import httpx
import numpy as np
from PIL import Image
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

CAMERAS: Final = 6
PHOTOGRAPHS: Final = 24
PATIENCE_S: Final = 120


class NotAcceptedError(Exception):
    """A refusal or a broken connection: the same upload is tried again."""


@dataclass
class Growers:
    """Uploads `images` photographs spread over `seconds`; every third comes from one of six cameras.

    Each upload has its Idempotency-Key (UUIDv7), so a retry after "not confirmed" is the same image.
    """

    urls: list[str]
    images: int
    seconds: float
    seed: int
    accepted: set[str] = field(default_factory=set)
    given_up: int = 0

    async def run(self) -> None:
        """Upload everything; ends when each upload was accepted or given up."""
        dice = random.Random(self.seed)  # noqa: S311  reproducible, not secret
        photographs = [photograph(self.seed * 1000 + number) for number in range(PHOTOGRAPHS)]
        started = time.monotonic()
        limits = httpx.Limits(max_connections=64)
        async with httpx.AsyncClient(timeout=20, limits=limits) as client, asyncio.TaskGroup() as group:
            for number in range(self.images):
                await asyncio.sleep(max(0, started + number * self.seconds / self.images - time.monotonic()))
                camera = f"camera-{dice.randrange(CAMERAS)}" if number % 3 == 0 else None
                group.create_task(self._upload(client, dice.choice(photographs), camera, dice.random()))

    async def _upload(self, client: httpx.AsyncClient, jpeg: bytes, camera: str | None, luck: float) -> None:
        headers = {"Idempotency-Key": str(_uuid7()), "X-Uploader": f"grower-{int(luck * 50)}"}
        form = {"camera": camera} if camera else {}
        turns = itertools.cycle(self.urls if luck < 0.5 else self.urls[::-1])
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type((NotAcceptedError, httpx.TransportError)),
                stop=stop_after_delay(PATIENCE_S),
                wait=wait_random_exponential(0.2, 5),
                reraise=True,
            ):
                with attempt:
                    files = {"file": ("leaf.jpg", jpeg, "image/jpeg")}
                    answer = await client.post(f"{next(turns)}/predict", files=files, data=form, headers=headers)
                    if answer.status_code != 202:
                        raise NotAcceptedError(answer.text)
                    self.accepted.add(answer.json()["task_id"])
        except (NotAcceptedError, httpx.TransportError):
            self.given_up += 1


def photograph(seed: int) -> bytes:
    """A small JPEG no other seed gives: a green ellipse with spots on a plain ground."""
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:192j, -1:1:192j]
    pixels = np.broadcast_to(dice.uniform(90, 200, 3), (192, 192, 3)).copy()
    pixels[(x / 0.6) ** 2 + (y / 0.85) ** 2 < 1] = dice.uniform((30, 90, 20), (80, 160, 60))
    for centre in dice.uniform(-0.5, 0.5, (9, 2)):
        pixels[np.hypot(x - centre[0], y - centre[1]) < 0.07] = (70, 50, 30)
    out = io.BytesIO()
    Image.fromarray((pixels + dice.normal(0, 6, pixels.shape)).clip(0, 255).astype(np.uint8)).save(out, "JPEG")
    return out.getvalue()


def _uuid7() -> uuid.UUID:
    """RFC 9562, version 7: the time in milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | random.getrandbits(80)
    bits = bits & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=bits & ~(0x3 << 62) | 0x2 << 62)
