"""Whose result may be read: a task id opens its own, the admin key opens what no task id belongs to."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials

from producer_api.admin import bearer, require_admin
from producer_api.seal import unknown_id
from producer_api.services import Services, ServicesHere
from schemas.result import Result

OPEN_IDS: Final = ("frame-", "position-")
"""Ids that anybody can work out: of camera frames (from the picture) and of records that carried no valid id."""


@dataclass(frozen=True)
class Reader:
    """May read the result of this id."""

    services: Services
    task_id: str
    seconds: int | None
    """Of the task id; None: it is none."""

    async def result(self, wait: float) -> Result:
        """The result once it is there or the time, seconds, is over; `queued` else. Raises 404, 410 and 503 errors."""
        return await self.services.notices.result(self.task_id, wait) or self.queued()

    def queued(self) -> Result:
        """What is said before there is a result. Raises UnknownTaskError or ExpiredTaskError where none can come."""
        if self.seconds is None:
            raise unknown_id()
        self.services.task_ids.refuse_expired(self.seconds)
        return Result(task_id=self.task_id, status="queued")


async def _reader(
    task_id: str, services: ServicesHere, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Reader:
    if task_id.startswith(OPEN_IDS):
        await require_admin(services, given)
        return Reader(services, task_id, None)
    return Reader(services, task_id, services.task_ids.read(task_id).seconds)


ReaderHere = Annotated[Reader, Depends(_reader)]
"""An endpoint's parameter; takes `task_id` from the path."""
