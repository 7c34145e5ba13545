import examples
import pytest
from sinks import START_MS, failed, made

from result_sink.fields import CounterSets, bin_field, fields, shown
from result_sink.settings import SinkSettings
from schemas import counters
from schemas.prediction import UnservedArm


def test_an_answer_moves_one_field_of_each_histogram():
    prediction = made(0, answer_confidence=0.5, answer_verdict="uncertain")
    assert sorted(fields(prediction, START_MS + 15)) == sorted(
        [
            "images",
            "verdict:uncertain",
            "label:late_blight",
            "arm:default:1:resnet50",
            "model:resnet50@1",
            "confidence:10",
            "latency:4",
            "brightness:7",
            "contrast:5",
            "red:6",
            "green:8",
            "blue:5",
        ]
    )


def test_what_is_no_tomato_leaf_counts_as_that():
    prediction = made(0, answer_verdict="not_tomato_leaf", shadows=(examples.answer(arm="new", label="healthy"),))
    assert "label:not_tomato_leaf" in fields(prediction, START_MS)
    assert "shadow:new:not_tomato_leaf:healthy" in fields(prediction, START_MS)
    assert shown(prediction.answer) == "not_tomato_leaf"


def test_another_tomato_problem_counts_as_that_and_a_likely_answer_as_its_label():
    other = examples.answer(verdict="other_tomato_problem", other=0.7)
    prediction = made(0, answer=other, shadows=(examples.answer(arm="new", verdict="likely"),))
    found = fields(prediction, START_MS)
    assert {"verdict:other_tomato_problem", "label:other_tomato_problem"} < set(found)
    assert "shadow:new:other_tomato_problem:late_blight" in found
    likely = fields(made(0, answer_verdict="likely"), START_MS)
    assert {"verdict:likely", "label:late_blight"} < set(likely)


def test_an_image_whose_arm_was_not_served_counts_outside_and_names_the_arm():
    unserved = UnservedArm(experiment="trial", experiment_version=4, arm="new", model="resnet50", version="6")
    prediction = made(0, experiment=None, experiment_version=None, unserved=unserved, answer_version="5")
    found = fields(prediction, START_MS)
    assert {"unserved:trial:4:new", "arm:-:0:resnet50", "model:resnet50@5"} < set(found)
    assert not any(field.startswith("arm:trial") for field in found)


def test_a_failure_counts_as_a_failure_only():
    assert fields(failed(0), START_MS) == ["failed"]
    assert shown(None) == "failed"


@pytest.mark.parametrize(
    ("histogram", "value", "field"),
    [
        (counters.CONFIDENCE, 0, "confidence:0"),
        (counters.CONFIDENCE, 0.05, "confidence:1"),
        (counters.CONFIDENCE, 1, "confidence:19"),
        (counters.LATENCY, -3, "latency:0"),
        (counters.LATENCY, 9.9, "latency:0"),
        (counters.LATENCY, 10, "latency:1"),
        (counters.LATENCY, 1e9, "latency:120"),
        (counters.CONTRAST, 200, "contrast:15"),
        (counters.BRIGHTNESS, 255, "brightness:15"),
    ],
)
def test_bins(histogram, value, field):
    assert bin_field(histogram, value) == field


def test_a_photograph_counts_in_its_minute_and_hour_for_all_its_arm_and_its_camera():
    sets = CounterSets(SinkSettings(retention_days=1, minute_hours=1))
    lines = [line.split(" ") for line in sets.live(made(0, camera="north")).splitlines()]
    start = START_MS // 1000
    arm = "arm:default:1:resnet50"
    assert lines == [
        [str(start + 3600), f"leaf:minute:{start}:all"],
        [str(start + 3600), f"leaf:minute:{start}:{arm}"],
        [str(start + 86400), f"leaf:hour:{start}:all"],
        [str(start + 86400), f"leaf:hour:{start}:{arm}"],
        [str(start + 86400), f"leaf:hour:{start}:camera:north"],
        [str(start + 86400), f"leaf:hour:{start}:{arm}:camera:north"],
    ]
    assert len(sets.live(made(0)).splitlines()) == 4


def test_a_name_that_is_not_authenticated_counts_as_such_and_for_no_camera():
    sets = CounterSets(SinkSettings())
    claimed = made(0, camera="north", unauthenticated=True)
    assert sets.live(claimed) == sets.live(made(0))
    assert set(fields(claimed, START_MS)) - set(fields(made(0, camera="north"), START_MS)) == {"unauthenticated"}


def test_a_failure_counts_for_no_arm():
    sets = CounterSets(SinkSettings())
    assert "arm:default:1:-" in sets.live(failed(0))
