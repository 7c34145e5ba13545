"""GET /analytics: totals, experiments, series, drift."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from producer_api.admin import is_admin
from producer_api.analytics.counts import Totals
from producer_api.analytics.drift import Drift, baselines_of, drift
from producer_api.analytics.drift_watch import WINDOW
from producer_api.analytics.report import Report, report
from producer_api.analytics.series import By, Metric, Series, series
from producer_api.analytics.window import From, To, Window
from producer_api.errors import UnknownExperimentError
from producer_api.problems import problems
from producer_api.services import Services, ServicesHere
from schemas import counters
from schemas.counters import Step
from schemas.experiment import Experiment, Name
from schemas.image import CameraId

router = APIRouter(prefix="/analytics", tags=["analytics"])

Camera = Annotated[CameraId | None, Query(description="Only photographs of this camera.")]


class Overview(Totals):
    """All photographs of the window."""

    window: Window
    images: int
    failed: int
    verdicts: dict[str, int]
    labels: dict[str, int]


@router.get("", response_model=Overview, responses=problems(422, 503))
async def overview(services: ServicesHere, begin: From = None, to: To = None) -> Response:
    """How many there were, what was lost or came twice, and since when the counts are complete."""
    window = Window.of(begin, to, "hour", services.settings.kept["hour"])

    def compute() -> Overview:
        counts = services.counters.sum(window, [counters.ALL])[counters.ALL]
        return Overview(
            **services.counters.totals().model_dump(),
            window=window,
            images=counts[counters.IMAGES,],
            failed=counts[counters.FAILED,],
            verdicts={field[1]: number for field, number in counts.items() if field[0] == counters.VERDICT},
            labels={field[1]: number for field, number in counts.items() if field[0] == counters.LABEL},
        )

    return await services.answers.json(("overview", window), compute)


@router.get("/experiments/{name}", response_model=Report, responses=problems(404, 422, 503))
async def experiment(
    name: Name,
    services: ServicesHere,
    begin: From = None,
    to: To = None,
    camera: Camera = None,
    effect: Annotated[float, Query(gt=0, lt=0.5, description="Difference in accuracy that is worth finding.")] = 0.02,
) -> Response:
    """Each arm's numbers and what sets the arms apart; without a range, since its beginning."""

    def compute() -> Report:
        history = services.experiments.get(name)
        now = datetime.now(UTC)
        since = min(now, *(version.effective_at for version in history.versions))
        window = Window.of(begin, to, "hour", min(services.settings.kept["hour"], (to or now) - since))
        return report(history, services.counters, window, camera, effect)

    return await services.answers.json(("experiment", name, begin, to, camera, effect), compute)


@router.get("/series", response_model=Series, responses=problems(404, 422, 503))
async def over_time(
    services: ServicesHere,
    metric: Metric,
    named: Annotated[bool, Depends(is_admin)],
    by: By = "all",
    begin: From = None,
    to: To = None,
    step: Step = "hour",
) -> Response:
    """How a number went, bucket by bucket; minutes and hours are kept as long as the sink is told to.

    Cameras are numbered, the one heard last first; their names are shown to whoever has the admin key.
    """
    window = Window.of(begin, to, step)

    def compute() -> Series:
        baselines = None
        if metric == "drift":
            arm = _in_force(services).arms[0]
            baselines = baselines_of(services.settings.models_dir, arm.model, arm.version)
        return series(services.counters, metric, by, window, baselines, services.backpressure.backlog, named=named)

    return await services.answers.json(("series", metric, by, window, named), compute)


@router.get("/drift", response_model=Drift, responses=problems(404, 422, 503))
async def drifted(services: ServicesHere, begin: From = None, to: To = None, camera: Camera = None) -> Response:
    """Population stability index of each feature against the model cards; without a range, of the last day."""
    window = Window.of(begin, to, "hour", WINDOW)
    return await services.answers.json(
        ("drift", window, camera),
        lambda: drift(services.counters, _in_force(services), services.settings.models_dir, window, camera),
    )


def _in_force(services: Services) -> Experiment:
    found = services.experiments.timeline().at(datetime.now(UTC).timestamp() * 1000)
    if found is None:
        msg = "no experiment is in force"
        raise UnknownExperimentError(msg, "Start one: leaf experiments start NAME --arm ...")
    return found
