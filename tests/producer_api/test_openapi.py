"""Whatever schemathesis sends, the answer is one that OpenAPI tells of."""

import contextlib

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
OURS = ("/predict", "/predict/batch", "/result/{task_id}", "/result/{task_id}/feedback", "/batch/{batch_id}", "/models")


@pytest.mark.parametrize("path", OURS)
def test_answers_are_the_documented_ones(app, path):
    app.router.lifespan_context = lambda _app: contextlib.nullcontext()  # the services are there already
    schema = schemathesis.openapi.from_asgi("/openapi.json", app).include(path=path)
    for found in schema.get_all_operations():

        @given(found.ok().as_strategy())
        @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        def check(case):
            case.call_and_validate(checks=CHECKS)

        check()


def test_every_error_is_documented_as_a_problem(app):
    document = app.openapi()
    for path in OURS:
        for operation in document["paths"][path].values():
            errors = {status: told for status, told in operation["responses"].items() if status >= "400"}
            assert errors
            for told in errors.values():
                assert list(told["content"]) == ["application/problem+json"]
    problem = document["components"]["schemas"]["Problem"]
    assert set(problem["required"]) == {"type", "title", "status", "detail", "remedy"}
