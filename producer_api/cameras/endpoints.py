"""GET /cameras and GET /cameras/{camera}/results, behind the admin key."""

import time
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from producer_api.admin import require_admin
from producer_api.cameras.log import Cursor
from producer_api.moment import Moment
from producer_api.problems import problems
from producer_api.services import ServicesHere
from schemas.broker_time import LATEST_MS
from schemas.image import CameraId
from schemas.prediction import Label
from schemas.result import Result, from_ms

router = APIRouter(tags=["cameras"], dependencies=[Depends(require_admin)])

WINDOW_MINUTES: Final = 10
"""The rate is taken over this time; a camera without a frame in it is silent."""


class Camera(BaseModel):
    """One camera feed. Times are those of the log.

    Uploads under its name by clients that did not authenticate are apart: anybody can send them.
    """

    camera: str
    last_frame_at: datetime | None
    """null: only such uploads bear this name."""
    frames_per_minute: float
    """Over the last ten minutes."""
    silent_since: datetime | None
    """The time of the last frame, if none came for ten minutes."""
    last_unauthenticated_at: datetime | None
    unauthenticated_per_minute: float


class Cameras(BaseModel):
    """A page of cameras, the one heard last first; `cursor` leads to the next page, null: there is none."""

    cameras: list[Camera]
    cursor: str | None


class CameraResults(BaseModel):
    """A page of results, newest first, without heatmaps; `cursor` leads to the next page, null: there is none."""

    results: list[Result]
    cursor: str | None


PageCursor = Annotated[str | None, Query(description="From the page before.")]


@router.get("/cameras", responses=problems(401, 403, 422, 503))
async def cameras(services: ServicesHere, cursor: PageCursor = None) -> Cameras:
    """Which cameras there are, how fast their frames come and since when some are silent."""
    start = Cursor.read(cursor) if cursor else Cursor(LATEST_MS, 0)
    seen, after = await services.cameras.cameras(int((time.time() - WINDOW_MINUTES * 60) * 1000), start)
    return Cameras(
        cursor=str(after) if after else None,
        cameras=[
            Camera(
                camera=one.camera,
                last_frame_at=_moment(one.last_ms),
                frames_per_minute=one.recent / WINDOW_MINUTES,
                silent_since=None if one.recent else _moment(one.last_ms),
                last_unauthenticated_at=_moment(one.claimed_last_ms),
                unauthenticated_per_minute=one.claimed_recent / WINDOW_MINUTES,
            )
            for one in seen
        ],
    )


@router.get("/cameras/{camera}/results", responses=problems(401, 403, 422, 503))
async def results(
    camera: CameraId,
    services: ServicesHere,
    since: Annotated[Moment | None, Query(alias="from", description="RFC 3339, with a zone.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="RFC 3339, with a zone; exclusive.")] = None,
    label: Annotated[Label | None, Query(description="Only results with this most probable label.")] = None,
    cursor: PageCursor = None,
) -> CameraResults:
    """What was diagnosed in a camera's frames, newest first."""
    newest = int((until.timestamp() if until else time.time() + WINDOW_MINUTES * 60) * 1000) - 1
    start = Cursor.read(cursor) if cursor else Cursor(newest, 0)
    oldest = int(since.timestamp() * 1000) if since else 0
    found, after = await services.cameras.results(camera, start, oldest, label)
    return CameraResults(results=found, cursor=str(after) if after else None)


def _moment(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)
