"""GET /runs and GET /runs/{name}."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from producer_api.admin import anonymous, is_admin
from producer_api.errors import UnknownRunError
from producer_api.problems import problems
from producer_api.services import ServicesHere
from schemas.prediction import RunName
from schemas.replay import Progress

router = APIRouter(tags=["runs"])


class RunView(BaseModel):
    """One replay."""

    name: str
    model: str | None
    """`name@version`; null: as the experiments then in force assigned."""
    cameras: list[str]
    """Only these; empty: all. Without the admin key they are numbered, not named."""
    asked_from: str | None
    asked_to: str | None
    start: dict[int, int]
    """Partition to first offset."""
    end: dict[int, int]
    """Partition to the offset after the last."""
    defined_at: datetime
    length: int
    """Images between the bounds, of all cameras."""
    passed: int
    """How many of them are behind it."""
    answered: int
    failed: int
    finished: bool

    @classmethod
    def of(cls, progress: Progress, *, named: bool) -> Self:
        """The view of a run."""
        run = progress.run
        return cls(
            **run.model_dump(exclude={"topic_id", "cameras"}),
            cameras=list(run.cameras) if named else anonymous(run.cameras),
            length=run.length,
            passed=progress.passed,
            answered=progress.answered,
            failed=progress.failed,
            finished=progress.finished,
        )


class Runs(BaseModel):
    """Every replay, the newest first."""

    runs: list[RunView]


@router.get("/runs", responses=problems(503))
def runs(services: ServicesHere, named: Annotated[bool, Depends(is_admin)]) -> Runs:
    """All replays and how far they are."""
    return Runs(runs=[RunView.of(each, named=named) for each in services.runs.progress().values()])


@router.get("/runs/{name}", responses=problems(404, 503))
def run(name: RunName, services: ServicesHere, named: Annotated[bool, Depends(is_admin)]) -> RunView:
    """One replay and how far it is."""
    found = services.runs.progress()
    if name not in found:
        msg = f"there is no run {name!r}"
        raise UnknownRunError(msg, f"There are {', '.join(found) or 'none'}.")
    return RunView.of(found[name], named=named)
