from collections import Counter
from datetime import timedelta
from types import SimpleNamespace

import pytest
from sinks import START_MS
from traffic import two_arms

from producer_api.analytics.arms import ArmReport, arm_reports, ratio
from producer_api.analytics.comparison import compare
from producer_api.analytics.proportions import share
from producer_api.analytics.report import report
from producer_api.analytics.shadows import shadow_reports
from producer_api.analytics.window import Window
from schemas.experiment import Arm

FIRST, SECOND = two_arms(0.5), two_arms(0.9, version=2, since_ms=START_MS + 1000)


def images(**by_arm):
    return {arm: Counter({("images",): number}) for arm, number in by_arm.items()}


def found(first, second):
    return {(1, arm): counts for arm, counts in first.items()} | {(2, arm): counts for arm, counts in second.items()}


def arm(name, right, told, images=10_000):
    nothing = share(0, images)
    latency = {"mean": None, "p50": None, "p95": None, "p99": None}
    return ArmReport(
        name=name, model="m", version="1", weight=0.5, images=images, expected=images, labels={}, likely=nothing,
        uncertain=nothing, other=nothing, rejected=nothing, confidence=[], latency=latency,
        accuracy=share(right, told), confusion={},
    )  # fmt: skip


def test_expected_images_follow_the_weights_of_each_version():
    counts = found(images(old=510, new=490), images(old=905, new=95))
    old, new = arm_reports([FIRST, SECOND], counts)
    assert (old.images, old.expected, old.weight) == (1415, pytest.approx(1400), 0.9)
    assert (new.images, new.expected) == (585, pytest.approx(600))
    assert ratio([FIRST, SECOND], counts) > 0.5
    assert ratio([FIRST, SECOND], found(images(old=905, new=95), images(old=510, new=490))) < 1e-9


def test_each_verdict_is_a_share_of_the_arms_images():
    told = {"diagnosed": 50, "likely": 20, "uncertain": 15, "other_tomato_problem": 10, "not_tomato_leaf": 5}
    counts = Counter({("verdict", verdict): number for verdict, number in told.items()} | {("images",): 100})
    counts["label", "other_tomato_problem"] = 10
    old, new = arm_reports([FIRST], {(1, "old"): counts, (1, "new"): Counter({("images",): 100})})
    assert [one.count for one in (old.likely, old.uncertain, old.other, old.rejected)] == [20, 15, 10, 5]
    assert old.labels == {"other_tomato_problem": 10}
    [compared] = compare([old, new], effect=0.02)
    assert compared.likely.difference.value == pytest.approx(-0.2)


def test_an_arm_that_left_is_reported_last():
    alone = [Arm(name="new", model="efficientnetb0", version="2", weight=1)]
    third = SECOND.model_copy(
        update={"version": 3, "arms": alone, "effective_at": SECOND.effective_at + timedelta(seconds=1)}
    )
    counts = found(images(old=510, new=490), {}) | {(3, "new"): Counter({("images",): 7})}
    reports = arm_reports([FIRST, third], counts)
    assert [(one.name, one.version, one.images) for one in reports] == [("new", "2", 497), ("old", "1", 510)]


@pytest.mark.parametrize(
    ("control", "other", "verdict"),
    [
        ((20, 25), (20, 25), "too early"),
        ((900, 1000), (905, 1000), "no difference yet"),
        ((4500, 5000), (4700, 5000), "better"),
        ((4500, 5000), (4300, 5000), "worse"),
    ],
)
def test_verdicts(control, other, verdict):
    [comparison] = compare([arm("a", *control), arm("b", *other)], 0.02)
    assert comparison.verdict == verdict
    assert (comparison.arm, comparison.control) == ("b", "a")


def test_where_images_share_a_draw_there_is_no_verdict():
    [comparison] = compare([arm("a", 4500, 5000), arm("b", 4700, 5000)], 0.02, shared_draws=True)
    assert comparison.verdict == "not judged"
    assert comparison.accuracy.monitor.different


def test_several_arms_share_the_error_between_them():
    one, *_ = compare([arm("a", 900, 1000), arm("b", 940, 1000)], 0.02)
    two, *_ = compare([arm("a", 900, 1000), arm("b", 940, 1000), arm("c", 1, 2)], 0.02)
    assert two.accuracy.monitor.interval.low < one.accuracy.monitor.interval.low


def test_how_many_are_still_needed():
    [comparison] = compare([arm("a", 900, 1000), arm("b", 450, 500)], 0.02)
    assert comparison.needed == 3841  # each, to tell 0.90 from 0.88: (1.95996 * 0.44249 + 0.84162 * 0.44227)^2 / 0.02^2
    assert comparison.missing == 2 * 3841 - 1500
    assert comparison.missing_images == pytest.approx((2 * 3841 - 1500) / 1500 * 20_000, abs=1)
    [unknown] = compare([arm("a", 0, 0), arm("b", 0, 0)], 0.02)
    assert (unknown.needed, unknown.missing, unknown.missing_images) == (None, None, None)
    [done] = compare([arm("a", 9000, 10_000), arm("b", 9000, 10_000)], 0.02)
    assert (done.missing, done.missing_images) == (0, 0)


def test_a_single_arm_has_nothing_to_compare_with():
    assert compare([arm("a", 1, 2)], 0.02) == []


def test_a_shadow_and_its_disagreement():
    pairs = {("healthy", "healthy"): 50, ("healthy", "leaf_mold"): 8, ("leaf_mold", "healthy"): 1}
    counts = Counter({("shadow", "next", *pair): number for pair, number in pairs.items()})
    counts["shadow", "next", "leaf_mold", "leaf_mold"] = 41
    counts |= {("shadow_right", "next", "1", "0"): 2, ("shadow_right", "next", "0", "1"): 11}
    [report] = shadow_reports(counts)
    assert (report.name, report.images, report.agree.count) == ("next", 100, 91)
    assert report.disagreement["healthy"] == {"healthy": 50, "leaf_mold": 8}
    healthy = report.healthy
    assert (healthy.both, healthy.only_first, healthy.only_second, healthy.neither) == (50, 8, 1, 41)
    assert healthy.p_value == pytest.approx(20 / 512)  # two-sided binomial of 1 in 9
    correct = report.correct
    assert (correct.both, correct.only_first, correct.only_second, correct.neither) == (0, 2, 11, 0)
    assert correct.p_value == pytest.approx(184 / 8192)  # two-sided binomial of 2 in 13


def test_images_that_share_their_uploaders_draw_are_no_mismatch():
    counts = {(1, arm): found for arm, found in images(old=7000, new=3000).items()}
    assert ratio([FIRST], counts) < 1e-9
    assert ratio([FIRST.model_copy(update={"sticky_key": "camera"})], counts) is None


@pytest.mark.parametrize(("sticky_key", "verdict"), [("image", "too early"), ("uploader", "not judged")])
def test_a_report_knows_how_arms_were_drawn(sticky_key, verdict):
    versions = [FIRST, SECOND.model_copy(update={"sticky_key": sticky_key})]
    history = SimpleNamespace(name="x", state="running", versions=versions, void=set())
    store = SimpleNamespace(sum=lambda window, scopes: {}, totals=lambda: SimpleNamespace(complete_since=None))
    window = Window.of(FIRST.effective_at, FIRST.effective_at + timedelta(hours=1), "hour")
    [comparison] = report(history, store, window, None, 0.02).comparisons
    assert comparison.verdict == verdict


def test_a_report_says_what_its_arms_did_not_answer_and_which_versions_did():
    history = SimpleNamespace(name="x", state="running", versions=[FIRST], void=set())
    written = {
        "all": {("unserved", "x", "1", "new"): 7, ("unserved", "x", "2", "new"): 1, ("unserved", "y", "1", "old"): 5},
        "camera:roof": {("unserved", "x", "1", "new"): 2},
        "arm:x:1:old": {("images",): 9, ("model", "resnet50@1"): 9},
    }

    def read(_window, scopes):
        return {scope: Counter(written.get(scope, {})) for scope in scopes}

    store = SimpleNamespace(sum=read, totals=lambda: SimpleNamespace(complete_since=None))
    window = Window.of(FIRST.effective_at, FIRST.effective_at + timedelta(hours=1), "hour")
    found = report(history, store, window, None, 0.02)
    assert found.unserved == {"new": 8}
    assert [(arm.images, arm.answered_by) for arm in found.arms] == [(9, {"resnet50@1": 9}), (0, {})]
    assert report(history, store, window, "roof", 0.02).unserved == {"new": 2}
