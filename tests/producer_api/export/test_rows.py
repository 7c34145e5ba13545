from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from examples import answer, prediction

from producer_api.export import rows
from schemas.envelope import Envelope
from schemas.prediction import UnservedArm


@dataclass
class Record:
    """What a row is made of."""

    envelope: Envelope

    def key(self) -> bytes:
        return self.envelope.key.encode()

    def value(self) -> bytes:
        return self.envelope.value

    def headers(self) -> list[tuple[str, bytes]]:
        return self.envelope.headers()

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000_000


def row_of(**changes: Any) -> dict[str, Any]:
    table = pa.Table.from_pylist(
        list(rows.predictions([Record(prediction(**changes).envelope("key"))])), rows.PREDICTIONS
    )
    [row] = table.to_pylist()
    return row


def test_what_is_none_of_the_ten_has_its_verdict_and_its_probability() -> None:
    other = answer(verdict="other_tomato_problem", probabilities=[0.03] * 10, confidence=0.03, other=0.7)
    row = row_of(answer=other)
    assert (row["verdict"], row["p_other_tomato_problem"], row["p_healthy"]) == ("other_tomato_problem", 0.7, 0.03)
    assert (row_of(answer=answer(verdict="likely"))["verdict"], row_of()["p_other_tomato_problem"]) == ("likely", 0)


def test_an_image_outside_of_its_experiment_names_the_arm_that_was_not_served_and_the_version_that_answered() -> None:
    unserved = UnservedArm(experiment="trial", experiment_version=4, arm="new", model="resnet50", version="6")
    row = row_of(
        experiment=None, experiment_version=None, unserved=unserved, answer=answer(arm="resnet50", version="5")
    )
    assert (row["experiment"], row["arm"], row["model"], row["version"]) == (None, "resnet50", "resnet50", "5")
    assert row["unserved"] == "trial@4:new"
    assert row_of()["unserved"] is None
