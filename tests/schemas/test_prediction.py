import json

import examples
import pytest
from pydantic import ValidationError

from schemas.errors import EventError
from schemas.prediction import Answer, Failure, Heatmap, Prediction, UnservedArm


def test_a_prediction_has_either_an_answer_or_a_failure():
    failure = Failure(kind="failed", error="engine died")
    assert examples.prediction(answer=None, failure=failure).failure == failure
    with pytest.raises(ValidationError, match="exactly one"):
        examples.prediction(failure=failure)
    with pytest.raises(ValidationError, match="exactly one"):
        examples.prediction(answer=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"confidence": 1.01},
        {"label": "powdery_mildew"},
        {"verdict": "sure"},
        {"probabilities": [0.5, 0.5]},
        {"batch": 0},
    ],
)
def test_impossible_answers_are_refused(wrong):
    with pytest.raises(ValidationError):
        Answer.model_validate(examples.answer().model_dump() | wrong)


def test_a_heatmap_holds_every_cell():
    with pytest.raises(ValidationError, match="width x height"):
        Heatmap(width=2, height=2, values=[1, 2, 3])


def test_the_record_is_named_by_its_source_and_run():
    live = examples.prediction().envelope("k")
    replayed = examples.prediction(run="again").envelope("k")
    assert (live.id, replayed.id) == ("live:t1:3:7", "again:t1:3:7")
    assert dict(live.headers())["ce_imageid"].decode() == examples.IMAGE_ID
    assert Prediction.read("k", replayed.value, replayed.headers()).run == "again"


@pytest.mark.parametrize(
    "path",
    [
        ("attempt",), ("experiment_version",), ("source", "partition"), ("source", "offset"),
        ("source", "timestamp_ms"), ("answer", "batch"), ("unserved", "experiment_version"),
    ],
)  # fmt: skip
def test_numbers_that_no_topic_and_no_column_holds_are_refused(path):
    unserved = UnservedArm(experiment="x", experiment_version=1, arm="a", model="m", version="1")
    event = examples.prediction(unserved=unserved)
    fields = json.loads(event.model_dump_json())
    inner = fields
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = 2**63
    envelope = event.envelope("k")
    with pytest.raises(EventError, match=path[-1]):
        Prediction.read(b"k", json.dumps(fields).encode(), envelope.headers())
