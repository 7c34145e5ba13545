"""Taking in a batch: one photograph after the other, as the body arrives."""

import asyncio
from typing import Final

from fastapi import Request
from pydantic import BaseModel

from producer_api.batches.batch_id import MAX_MEMBERS, BatchId
from producer_api.errors import RequestError, SlowUploadError
from producer_api.services import Services
from producer_api.uploads.event import image_event
from producer_api.uploads.form import Form, Headers
from producer_api.uploads.multipart import Part, parts
from schemas.errors import ImageError
from schemas.topics import IMAGES

MAX_BATCH_BYTES: Final = 512 * 1024 * 1024
IN_FLIGHT: Final = 32
"""Photographs of one batch that wait for the broker at once."""


class Refused(BaseModel):
    """A file of the batch that can't be used."""

    filename: str | None
    reason: str
    remedy: str


class Intake:
    """Accepts a batch in bounded memory: one file being read, and a few small photographs on their way to the broker.

    Each is stored by promise 1. If one is not confirmed, the whole request is answered so, and a retry with the same
    Idempotency-Key gives all of them the ids they had.
    """

    def __init__(self, services: Services, headers: Headers, batch: BatchId) -> None:
        self._services = services
        self._headers = headers
        self._batch = batch
        self._camera: str | None = None
        self._accepted: list[str] = []
        self._refused: list[Refused] = []
        self._room = asyncio.Semaphore(IN_FLIGHT)

    async def read(self, request: Request) -> tuple[list[str], list[Refused]]:
        """Task ids of the accepted files, and the refused ones. Raises LeafError; BrokerUnavailableError among them."""
        seconds = self._services.settings.upload_seconds
        try:
            async with asyncio.timeout(seconds) as limit, asyncio.TaskGroup() as sending:
                async for part in parts(request):
                    limit.reschedule(asyncio.get_running_loop().time() + seconds)
                    await self._take(part, sending)
        except TimeoutError:
            msg = f"no file was complete for {seconds:g} s"
            raise SlowUploadError(msg, "Send it again, over a better connection or in smaller batches.") from None
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return self._accepted, self._refused

    async def _take(self, part: Part, sending: asyncio.TaskGroup) -> None:
        if part.name == "camera":
            self._camera = part.text or None
        if part.name != "file":
            return
        if len(self._accepted) + len(self._refused) == MAX_MEMBERS:
            msg = f"a batch holds at most {MAX_MEMBERS} photographs"
            raise RequestError(msg, "Send the rest in another batch.")
        try:
            image = await self._services.admission.normalise(part.data)
        except ImageError as error:
            self._refused.append(Refused(filename=part.filename, reason=str(error), remedy=error.remedy))
            return
        task_id = self._batch.member(self._services.task_ids, len(self._accepted))
        event = image_event(task_id, image, Form(part.data, self._camera, None), self._headers)
        await self._room.acquire()
        self._accepted.append(task_id)
        sent = sending.create_task(self._services.acceptance.accept(IMAGES, event.envelope()))
        sent.add_done_callback(lambda _: self._room.release())
