import re
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ops.settings import StackSettings, TopicSettings
from producer_api.experiments.definition import Definition
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.settings import IngestSettings
from producer_api.settings import ApiSettings
from result_sink.settings import SinkSettings
from schemas.experiment import Experiment
from schemas.reasons import reasons
from schemas.replay import Run
from stream_workers.settings import WorkerSettings

GIVEN = (
    Definition,
    Experiment,
    Run,
    Feed,
    ApiSettings,
    IngestSettings,
    SinkSettings,
    StackSettings,
    TopicSettings,
    WorkerSettings,
)


def wrong(kind: Any, value: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    return reasons(caught.value)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int


def test_each_thing_that_is_wrong_has_its_clause() -> None:
    assert wrong(Strict, {"n": "many", "m": 1}) == ["n must be a whole number", "m is not known"]
    assert wrong(Strict, {}) == ["n is missing"]
    assert wrong(Run, {"name": "A"})[0] == (
        "name must be up to 64 lower-case letters, digits, '.', '_' and '-', a letter or digit first"
    )


@pytest.mark.parametrize("kind", GIVEN)
def test_every_pattern_a_person_can_miss_has_words(kind: type[BaseModel]) -> None:
    for pattern in set(re.findall(r"pattern='([^']+)'|pattern=\"([^\"]+)\"", str(kind.model_fields))):
        text = next(filter(None, pattern)).encode().decode("unicode_escape")
        told = wrong(TypeAdapter_of(text), "\n")
        assert "otherwise" not in told[0], text


def TypeAdapter_of(pattern: str) -> Any:  # noqa: N802
    from typing import Annotated

    from pydantic import StringConstraints

    return Annotated[str, StringConstraints(pattern=pattern)]


ODD = [None, "", "x", "A b!", -1, 0, 2, 1e9, 1.5, float("nan"), [], ["x"], [{}] * 20, {}, {"x": 1}, True, "x" * 500]


@pytest.mark.parametrize("kind", GIVEN)
def test_nothing_that_pydantic_says_is_passed_on(kind: type[BaseModel]) -> None:
    for name, field in kind.model_fields.items():
        for value in ODD:
            try:
                TypeAdapter(field.annotation).validate_python(value)
            except ValidationError as error:
                for clause in reasons(error):
                    assert not re.search(r"Input|String|should|valid|something else|\^|\{", clause), (
                        name,
                        value,
                        clause,
                    )
