"""Whether this process lives, whether it can work, and its metrics."""

import os

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest, multiprocess
from pydantic import BaseModel

from producer_api.problems import problems
from producer_api.services import ServicesHere
from schemas.errors import BrokerUnavailableError

router = APIRouter(tags=["health"])


class Ready(BaseModel):
    """What this process can do: uploads need Kafka, results need Redis."""

    uploads: bool
    results: bool


@router.get("/healthz", response_class=PlainTextResponse)
async def alive() -> str:
    """200 while the process answers at all."""
    return "ok"


@router.get("/readyz", responses=problems(503))
async def ready(services: ServicesHere) -> Ready:
    """200 once uploads can be accepted; results are told, and do not count, since uploading needs no Redis."""
    if not services.acceptance.connected:
        msg = "Kafka has not been reached yet"
        raise BrokerUnavailableError(msg, "See that the broker runs and that KAFKA names it.")
    return Ready(uploads=True, results=await services.store.answers())


@router.get("/metrics", include_in_schema=False)
def metrics() -> Response:  # in a thread: the processes' files take milliseconds to read
    """Prometheus text; of all processes that share this port."""
    registry = None
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry) if registry else generate_latest(), media_type=CONTENT_TYPE_LATEST)
