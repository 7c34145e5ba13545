import numpy as np
import pytest
from examples import answer, prediction
from sklearn.metrics import accuracy_score, confusion_matrix

from schemas.labels import LABELS, NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM, OUTPUTS
from schemas.prediction import Failure
from stream_workers.replay.report.comparison import FAILED, MOST, Comparison, distance, shown
from stream_workers.replay.report.results import Pair

DICE = np.random.default_rng(3)


def said(number, label=None, gate=0.99, probabilities=None, **changes):
    """A prediction for image `number`; without a label it failed. `changes`: of the answer."""
    common = {"image_id": f"image-{number:016d}", "answer": None, "features": None}
    if label is None:
        return prediction(**common | {"failure": Failure(kind="failed", error="x")})
    verdict = "diagnosed" if label in LABELS else label
    chosen = label if label in LABELS else LABELS[0]
    shares = probabilities or [0.91 if name == chosen else 0.01 for name in LABELS]
    fields = {"label": chosen, "verdict": verdict, "confidence": max(shares), "probabilities": shares, "gate": gate}
    return prediction(**common | {"answer": answer(**fields | changes)})


def pairs(count):
    labels = [*OUTPUTS, NOT_TOMATO_LEAF, None]
    for number in range(count):
        before, after = DICE.integers(0, len(labels), 2)
        truth = LABELS[DICE.integers(0, 10)] if number % 3 else None
        yield Pair(said(number, labels[before]), said(number, labels[after]), truth)


def test_the_matrix_is_scikit_learns():
    compared = list(pairs(500))
    found = Comparison.of(compared)
    before, after = [shown(p.before) for p in compared], [shown(p.after) for p in compared]
    labels = found.labels
    expected = confusion_matrix(before, after, labels=labels)
    assert [[found.matrix[row][column] for column in labels] for row in labels] == expected.tolist()
    assert found.agreement == pytest.approx(accuracy_score(before, after))
    told = [(b, a, p.truth) for b, a, p in zip(before, after, compared, strict=True) if p.truth]
    assert found.accuracy_before == pytest.approx(
        accuracy_score([t for *_, t in told], [b for b, *_ in told]), abs=1e-6
    )
    assert found.accuracy_after == pytest.approx(
        accuracy_score([t for *_, t in told], [a for _, a, _ in told]), abs=1e-6
    )


def test_the_json_object_has_exactly_its_keys():
    compared = [Pair(said(1, "healthy"), said(1, "healthy"), None), Pair(said(2, "healthy"), said(2, None), "healthy")]
    assert Comparison.of([*compared, None]).as_json("again", "live") == {
        "run": "again",
        "against": "live",
        "images": 2,
        "agreement": 0.5,
        "changes": {"healthy": {FAILED: 1, "healthy": 1}},
        "accuracy_before": 1.0,
        "accuracy_after": 0.0,
    }


def test_which_versions_answered_is_counted_on_both_sides():
    newer = prediction(answer=answer(version="2"))
    pairs = [Pair(said(1, "healthy"), newer, None), Pair(said(2, "healthy"), said(2, None), None)]
    found = Comparison.of(pairs)
    assert (found.models_before, found.models_after) == ({"resnet50@1": 2}, {"resnet50@2": 1})


def test_verdicts_are_counted_on_both_sides():
    likely, failed = said(1, "healthy", verdict="likely"), said(2)
    pairs = [Pair(likely, said(1, "healthy"), None), Pair(failed, said(2, OTHER_TOMATO_PROBLEM), None)]
    found = Comparison.of(pairs)
    assert found.verdicts_before == {"likely": 1, FAILED: 1}
    assert found.verdicts_after == {"diagnosed": 1, OTHER_TOMATO_PROBLEM: 1}


def test_no_images_is_an_answer():
    found = Comparison.of([None, None])
    assert (found.images, found.missing, found.agreement, found.accuracy_after, found.shift) == (0, 2, None, None, {})


def test_the_confidence_shift_is_after_minus_before():
    shares = [0.5, 0.5, *[0.0] * 8]
    moved = [Pair(said(n, LABELS[0], probabilities=shares), said(n, LABELS[0]), None) for n in range(4)]
    assert Comparison.of(moved).shift == {"mean": 0.41, "p10": 0.41, "median": 0.41, "p90": 0.41}


def test_the_distance_is_that_of_distributions():
    same, other = said(1, "healthy"), said(1, "late_blight")
    assert distance(same, same) == 0
    assert distance(same, other) == pytest.approx(0.9 * 0.99)
    assert distance(same, said(1, NOT_TOMATO_LEAF, gate=0)) == pytest.approx(0.99)
    other = said(1, OTHER_TOMATO_PROBLEM, probabilities=[0.0] * 10, other=1)
    assert distance(same, other) == pytest.approx(0.99)
    assert distance(same, said(1)) == 1
    assert distance(said(1), said(1)) == 0


def test_the_most_changed_come_first_and_the_unchanged_not_at_all():
    found = Comparison.of(
        Pair(said(n, "healthy", gate=1), said(n, "healthy", gate=1 - n / 100), None) for n in range(60)
    )
    assert len(found.most) == MOST
    assert [each.pair.after.image_id for each in found.most[:2]] == ["image-0000000000000059", "image-0000000000000058"]
    unchanged = Comparison.of([Pair(said(1, "healthy"), said(1, "healthy"), None)])
    assert unchanged.most == []
