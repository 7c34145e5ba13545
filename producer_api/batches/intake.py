"""Taking in a batch: one photograph after the other, as the body arrives."""

import asyncio
import logging
from functools import partial
from typing import Final

from fastapi import Request
from pydantic import BaseModel

from producer_api.batches.batch_id import MAX_MEMBERS, BatchId
from producer_api.errors import RequestError, SlowUploadError
from producer_api.services import Services
from producer_api.uploads.event import image_event
from producer_api.uploads.form import Form, Headers
from producer_api.uploads.multipart import parts
from producer_api.uploads.part import Part
from schemas.envelope import Envelope
from schemas.errors import LeafError
from schemas.topics import IMAGES

log = logging.getLogger(__name__)

MAX_BATCH_BYTES: Final = 512 * 1024 * 1024
IN_FLIGHT: Final = 32
"""Photographs of one batch that wait for the broker at once."""
STORED: Final = 202


class Outcome(BaseModel):
    """What became of one file. A status of 503 means that it may be stored: send it again with the same key."""

    filename: str | None
    status: int
    """As if it had been sent to /predict by itself: 202 stored, 413, 415, 422 refused, 503 not confirmed."""
    task_id: str | None = None
    reason: str | None = None
    remedy: str | None = None

    def failed(self, error: Exception) -> None:
        """Note why it is not stored."""
        if isinstance(error, LeafError):
            self.status, self.reason, self.remedy = error.status, str(error), error.remedy
        else:
            log.error("a file of a batch failed", exc_info=error)
            self.status, self.reason = 500, "an error that nobody foresaw was logged"
            self.remedy = "Send it again; if it stays, tell the operator the time."


class Intake:
    """Accepts a batch in bounded memory: one file being read, and a few small photographs on their way to the broker.

    1. Each file is judged and stored (promise 1) by itself, and has an outcome by itself.
    2. What is wrong with the body as a whole (cut short, too slow, too long, malformed) ends the reading; `problem`
       says so, and the outcomes so far stand.
    3. Nothing is published without its outcome being answered, and a retry with the same Idempotency-Key gives the same
       photograph the same id.
    """

    def __init__(self, services: Services, headers: Headers, batch: BatchId) -> None:
        self._services = services
        self._headers = headers
        self._batch = batch
        self._fields: dict[str, str] = {}
        self._unused: set[str] = set()
        self._members: dict[bytes, Outcome] = {}
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self.files: list[Outcome] = []
        self.uncounted = 0
        """Files beyond twice the most that a batch holds; they have no outcome each."""
        self.problem: LeafError | None = None

    @property
    def batch(self) -> BatchId:
        """With the members that are stored."""
        return self._batch.of(tag for tag, outcome in self._members.items() if outcome.status == STORED)

    async def read(self, request: Request) -> None:
        """Return once every file has its outcome."""
        async with asyncio.TaskGroup() as sending:
            try:
                await self._read(request, sending)
            except LeafError as error:
                self.problem = error
        first = {outcome.task_id: outcome for outcome in self._members.values()}
        for outcome in self.files:
            if outcome.task_id and (same := first[outcome.task_id]) is not outcome:
                outcome.status, outcome.reason, outcome.remedy = same.status, same.reason, same.remedy

    async def _read(self, request: Request, sending: asyncio.TaskGroup) -> None:
        seconds = self._services.settings.upload_seconds
        try:
            async with asyncio.timeout(seconds) as limit:
                async for part in parts(request, MAX_BATCH_BYTES):
                    await self._take(part, sending)
                    limit.reschedule(asyncio.get_running_loop().time() + seconds)
        except TimeoutError:
            msg = f"no file was complete for {seconds:g} s"
            raise SlowUploadError(msg, "Send it again, over a better connection or in smaller batches.") from None
        if self._unused and self.files:
            msg = f"the field {self._unused.pop()!r} came after the last file and was not used"
            raise RequestError(msg, "Put it before the files it belongs to.")

    async def _take(self, part: Part, sending: asyncio.TaskGroup) -> None:
        if part.name in {"camera", "captured_at"}:
            self._fields[part.name] = part.text
            self._unused.add(part.name)
        elif (part.name == "file" or part.is_file) and not part.is_empty:
            if len(self.files) == 2 * MAX_MEMBERS:
                self.uncounted += 1
                return
            outcome = Outcome(filename=part.filename, status=STORED)
            self.files.append(outcome)
            try:
                await self._accept(part, outcome, sending)
            except Exception as error:  # noqa: BLE001  it must not end the others
                outcome.failed(error)
            self._unused.clear()
            self._fields.pop("captured_at", None)

    async def _accept(self, part: Part, outcome: Outcome, sending: asyncio.TaskGroup) -> None:
        """Judge a file, and send it in the background. Raises LeafError where it can't be used."""
        ids = self._services.task_ids
        if part.name != "file":
            msg = f"it came in the field {part.name!r}"
            raise RequestError(msg, "Send each photograph in a multipart field `file`.")
        if len(self._members) == MAX_MEMBERS:
            msg = f"a batch holds at most {MAX_MEMBERS} photographs"
            raise RequestError(msg, "Send the rest in another batch.")
        photograph = await asyncio.to_thread(part.photograph) if part.encoding else part.photograph()
        image = await self._services.admission.normalise(photograph)
        tag = await self._services.admission.beside(len(photograph), partial(self._batch.tag, ids, photograph))
        task_id = self._batch.member(ids, tag)
        form = Form(photograph, self._fields.get("camera") or None, self._fields.get("captured_at") or None)
        event = image_event(task_id, image, form, self._headers)
        self._services.backpressure.check(event.key)
        outcome.task_id = task_id
        if tag in self._members:
            return
        self._members[tag] = outcome
        await self._room.acquire()
        sending.create_task(self._store(event.envelope(), outcome)).add_done_callback(lambda _: self._room.release())

    async def _store(self, envelope: Envelope, outcome: Outcome) -> None:
        try:
            await self._services.acceptance.accept(IMAGES, envelope)
        except Exception as error:  # noqa: BLE001  it must not end the others
            outcome.failed(error)
