"""Analytics on counters that the real sink wrote: exact, and right about what was planted."""

from collections import Counter

import pytest
from scipy import stats
from sinks import START_MS, eventually, hours, publish
from traffic import Traffic, two_arms

from schemas.result import from_ms

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

SINCE = {"from": from_ms(START_MS).isoformat()}


def counted(store, images, feedback):
    """Wait until the sink has counted so many."""

    def check():
        found = hours(store)
        assert found.get("images", 0) == images
        assert sum(number for field, number in found.items() if field.startswith("feedback:")) == feedback

    eventually(check, 120)


async def test_20_000_predictions_are_counted_exactly_and_a_planted_difference_is_found(
    sink, producer, store, experiments, api
):
    experiment = two_arms(0.7)
    experiments.append(experiment)
    planted = Traffic(accuracy={"old": 0.84, "new": 0.90}, uncertain={"old": 0.12, "new": 0.08}, shadow_agrees=0.95)
    predictions, told = planted.events(experiment, range(20_000))
    publish(producer, [*predictions, *told])
    counted(store, 20_000, len(told))

    answer = await api.get("/analytics/experiments/x", params=SINCE)
    assert answer.status_code == 200
    report = answer.json()
    assert (report["images"], report["failed"]) == (20_000, 0)

    # Counts are exact: everything again, counted here.
    true = {feedback.image_id: feedback.label for feedback in told}
    for arm in report["arms"]:
        answers = {p.image_id: p.answer for p in predictions if p.answer.arm == arm["name"]}
        assert arm["images"] == len(answers)
        assert arm["labels"] == Counter(found.label for found in answers.values())
        assert arm["uncertain"]["count"] == sum(found.verdict == "uncertain" for found in answers.values())
        assert arm["confidence"] == [
            sum(index / 20 <= found.confidence < (index + 1) / 20 for found in answers.values()) for index in range(20)
        ]
        confusion = Counter((found.label, true[image]) for image, found in answers.items() if image in true)
        assert {(row, column): n for row, line in arm["confusion"].items() for column, n in line.items()} == confusion
        assert arm["accuracy"]["of"] == confusion.total()
        assert arm["accuracy"]["count"] == sum(n for (shown, label), n in confusion.items() if shown == label)
        assert sum(answer.label == true.get(image) for image, answer in answers.items()) == arm["accuracy"]["count"]

    # Weights are respected.
    old, new = report["arms"]
    assert stats.binomtest(old["images"], 20_000, 0.7).pvalue > 0.001
    assert (old["expected"], new["expected"]) == pytest.approx((14_000, 6000))
    assert report["ratio_p_value"] > 0.001
    assert not report["ratio_mismatch"]

    # What was planted is covered, and found.
    [comparison] = report["comparisons"]
    for metric, difference in [("accuracy", 0.06), ("uncertain", -0.04)]:
        for kind in ("difference", "monitor"):
            interval = comparison[metric][kind]["interval"]
            assert interval["low"] <= difference <= interval["high"]
        assert comparison[metric]["monitor"]["different"]
    assert comparison["verdict"] == "better"
    assert comparison["missing"] == max(0, comparison["needed"] - old["accuracy"]["of"]) + max(
        0, comparison["needed"] - new["accuracy"]["of"]
    )

    # The shadow's disagreement is the pairs themselves.
    [shadow] = report["shadows"]
    pairs = Counter((p.answer.label, p.shadows[0].label) for p in predictions)
    assert {(row, col): n for row, line in shadow["disagreement"].items() for col, n in line.items()} == pairs
    assert shadow["healthy"]["only_first"] == sum(n for (a, b), n in pairs.items() if a == "healthy" != b)
    assert shadow["healthy"]["only_second"] == sum(n for (a, b), n in pairs.items() if b == "healthy" != a)
    judged = [(p.answer.label, p.shadows[0].label, true[p.image_id]) for p in predictions if p.image_id in true]
    right = Counter((answered == label, other == label) for answered, other, label in judged)
    assert [shadow["correct"][name] for name in ("both", "only_first", "only_second", "neither")] == [
        right[cell] for cell in ((True, True), (True, False), (False, True), (False, False))
    ]

    # One camera's share of it.
    camera = (await api.get("/analytics/experiments/x", params=SINCE | {"camera": "camera-1"})).json()
    assert camera["images"] == sum(p.camera == "camera-1" for p in predictions)

    overview = (await api.get("/analytics", params=SINCE)).json()
    assert (overview["images"], overview["lost"], overview["duplicates"]) == (20_000, 0, 0)
    assert overview["labels"] == Counter(p.answer.label for p in predictions)
    assert overview["complete_since"] is None
