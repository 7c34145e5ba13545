"""GET /experiments, GET and PUT /experiments/{name}."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from producer_api.admin import require_admin
from producer_api.experiments.definition import Definition
from producer_api.experiments.register import History
from producer_api.problems import problems
from producer_api.services import ServicesHere
from schemas.experiment import Name

router = APIRouter(tags=["experiments"])


class Experiments(BaseModel):
    """Every experiment that ever took effect, the one in force first."""

    experiments: list[History]


@router.get("/experiments", responses=problems(503))
def experiments(services: ServicesHere) -> Experiments:
    """All experiments with all their versions."""
    return Experiments(experiments=services.experiments.all())


@router.get("/experiments/{name}", responses=problems(404, 422, 503))
def experiment(name: Name, services: ServicesHere) -> History:
    """One experiment with all its versions."""
    return services.experiments.get(name)


@router.put(
    "/experiments/{name}", dependencies=[Depends(require_admin)], responses=problems(401, 403, 404, 409, 413, 422, 503)
)
def define(name: Name, definition: Definition, services: ServicesHere) -> History:
    """Start, change or stop it: the next version, in force for photographs accepted from one second later on."""
    return services.experiments.define(name, definition)
