"""Whatever schemathesis sends, the answer is one that OpenAPI tells of."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import schemathesis
from fakeredis import FakeRedis, FakeServer
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from traffic import two_arms

from producer_api.analytics.answers import Answers
from producer_api.analytics.counts import CounterStore
from producer_api.cameras.log import CameraLog
from producer_api.experiments.register import Register
from schemas.replay import Progress
from schemas.timeline import Timeline
from tests.producer_api.conftest import ADMIN_KEY
from tests.support.examples import run

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
    allow_header_conformance,
    ignored_auth,
)
BUT_REJECTION = tuple(check for check in CHECKS if check is not negative_data_rejection)
KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}
PATHS = (
    "/predict",
    "/predict/batch",
    "/result/{task_id}",
    "/result/{task_id}/events",
    "/result/{task_id}/feedback",
    "/batch/{batch_id}",
    "/models",
    "/experiments",
    "/experiments/{name}",
    "/analytics",
    "/analytics/experiments/{name}",
    "/analytics/series",
    "/analytics/drift",
    "/cameras",
    "/cameras/{camera}/results",
    "/runs",
    "/runs/{name}",
    "/healthz",
    "/readyz",
)


class Log:
    """A topic of experiments in memory, with one in it."""

    def __init__(self) -> None:
        self._timeline = Timeline().with_(two_arms(name="default"))

    def known(self):
        return self._timeline

    read = known

    def append(self, experiment) -> None:
        self._timeline = self._timeline.with_(experiment)


@pytest.fixture
def whole(app: FastAPI, services: SimpleNamespace, redis, tmp_path: Path) -> Iterator[FastAPI]:
    """The application with everything behind it in memory."""
    for model in ("resnet50", "efficientnetb0"):
        (tmp_path / "models" / model / "1").mkdir(parents=True)
    services.cameras = CameraLog(redis, services.store)
    services.experiments = Register(Log(), tmp_path / "models")
    services.counters = CounterStore("redis://127.0.0.1:1", 1, services.settings.kept)
    services.counters._redis = FakeRedis(server=FakeServer())
    services.answers = Answers()
    services.runs = SimpleNamespace(progress=lambda: {run().name: Progress(run(), {}, {})})
    app.router.lifespan_context = lambda _app: contextlib.nullcontext()  # the services are there already
    yield app
    services.answers.stop()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("mode", GenerationMode)
def test_answers_are_the_documented_ones(whole, path, mode):
    schema = schemathesis.openapi.from_asgi("/openapi.json", whole).include(path=path)
    for found in schema.get_all_operations():

        @given(found.ok().as_strategy(generation_mode=mode))
        @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def check(case):
            if mode.is_positive:
                case.call_and_validate(checks=CHECKS, headers=KEY)
            else:  # what lacks the key is wrong data too
                case.call_and_validate(checks=CHECKS)
                case.call_and_validate(
                    checks=[one for one in CHECKS if one is not negative_data_rejection], headers=KEY
                )

        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with a request that has no parameters
            check()


def test_every_path_is_tried(app):
    assert set(app.openapi()["paths"]) == set(PATHS)


def test_every_error_is_documented_as_a_problem(app):
    document = app.openapi()
    for operations in document["paths"].values():
        for operation in operations.values():
            errors = {status: told for status, told in operation["responses"].items() if status >= "400"}
            assert errors
            for told in errors.values():
                assert list(told["content"]) == ["application/problem+json"]
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "detail", "remedy"}
