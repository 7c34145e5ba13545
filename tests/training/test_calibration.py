import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from stream_workers.engines import Outputs
from training.calibration import DIAGNOSED_ACCURACY, FALSE_REJECT, LIKELY_ACCURACY, Looks, fit
from training.dataset import NEGATIVE, OTHER_PROBLEM
from training.inference import Served
from training.metrics import metrics


def drawn(temperature: float, sharpness: float, photographs: int = 6000, seed: int = 0) -> Served:
    """Photographs whose labels follow softmax(logits / temperature), and a fifth that are no leaves."""
    random = np.random.default_rng(seed)
    true_logits = random.normal(0, sharpness, (photographs, 10))
    labels = np.array([random.choice(10, p=p) for p in softmax(true_logits, axis=1)])
    tomato = random.random(photographs) < 0.8
    gate = np.where(tomato, 4, -4) + random.logistic(0, 1, photographs)
    labels[~tomato] = NEGATIVE
    outputs = Outputs((true_logits * temperature).astype(np.float32), gate.astype(np.float32), _evidence(photographs))
    return Served(outputs, labels, [""] * photographs, [])


def _evidence(photographs: int) -> NDArray[np.float32]:
    return np.zeros((photographs, 1, 1, 10), np.float32)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_on_either_side_of_one(temperature: float) -> None:
    val = drawn(temperature, 3)
    assert fit(Looks(val, val), None).temperature == pytest.approx(temperature, rel=0.06)


def test_calibrated_confidence_holds_on_other_photographs() -> None:
    val = drawn(2.5, 3)
    calibration = fit(Looks(val, val), None)
    assert float(str(metrics(drawn(2.5, 3, seed=1), calibration)["ece"])) < 0.02


def test_the_gate_turns_few_leaves_away() -> None:
    val = drawn(1, 6)
    calibration = fit(Looks(val, val), None)
    passed = expit(val.outputs.gate / calibration.gate_temperature) >= calibration.gate_threshold
    assert (~passed[val.tomato]).mean() <= 0.01
    assert calibration.gate_threshold <= 0.5


def test_answers_above_the_threshold_are_as_right_as_promised_with_the_largest_coverage() -> None:
    val = drawn(1, 6)
    calibration = fit(Looks(val, val), None)
    figures = metrics(val, calibration)
    lower = calibration.model_copy(update={"confidence_threshold": calibration.confidence_threshold - 0.02})
    assert float(str(figures["selective_accuracy"])) >= DIAGNOSED_ACCURACY - 1e-3
    assert float(str(figures["coverage"])) > 0.3
    assert float(str(metrics(val, lower)["selective_accuracy"])) < DIAGNOSED_ACCURACY + 1e-3


def test_a_model_that_guesses_never_answers() -> None:
    val = drawn(1, 3)
    shuffled = np.random.default_rng(5).permutation(val.outputs.logits)
    guessing = Served(val.outputs._replace(logits=shuffled), val.labels, val.paths, [])
    assert float(str(metrics(guessing, fit(Looks(guessing, guessing), None))["coverage"])) < 0.02


def test_a_second_look_is_taken_where_it_helps_and_no_further() -> None:
    first = drawn(1, 2)
    confidence = softmax(first.outputs.logits, axis=1).max(axis=1)
    right = np.where(first.labels[:, None] == np.arange(10), 9, 0).astype(np.float32)
    helped = np.where(confidence[:, None] < 0.7, right, first.outputs.logits)
    both = Served(first.outputs._replace(logits=helped), first.labels, first.paths, [])
    assert fit(Looks(first, both), None).second_look == pytest.approx(0.7, abs=0.051)
    assert fit(Looks(first, first), None).second_look == 0
    spoilt = Served(first.outputs._replace(logits=-helped), first.labels, first.paths, [])
    assert fit(Looks(first, spoilt), None).second_look == 0


def test_lab_and_field_weigh_the_same_however_many_images_each_has() -> None:
    lab, field = drawn(1, 3), drawn(4, 3, photographs=1500, seed=1)
    both = fit(Looks(lab, lab), Looks(field, field)).temperature
    alone = [fit(Looks(one, one), None).temperature for one in (lab, field)]
    assert alone[0] * 1.2 < both < alone[1] / 1.2


def test_likely_is_as_right_as_promised_in_the_field_and_diagnosed_in_the_lab() -> None:
    lab, field = drawn(1, 6), drawn(1, 3, seed=1)
    calibration = fit(Looks(lab, lab), Looks(field, field))
    figures = metrics(field, calibration)
    assert calibration.likely_threshold < calibration.confidence_threshold
    assert float(str(figures["likely_accuracy"])) == pytest.approx(LIKELY_ACCURACY, abs=0.005)
    assert float(str(figures["coverage_likely"])) > float(str(figures["coverage"]))
    assert float(str(metrics(lab, calibration)["selective_accuracy"])) >= DIAGNOSED_ACCURACY - 1e-3


def test_leaves_with_another_problem_count_as_wrong_answers() -> None:
    field = drawn(1, 3)
    others = np.where(np.arange(len(field.labels)) % 3 == 0, OTHER_PROBLEM, field.labels)
    mixed = Served(field.outputs, others, field.paths, [])
    strict, plain = (fit(Looks(field, field), Looks(one, one)).likely_threshold for one in (mixed, field))
    assert strict > plain


def test_the_gate_is_as_open_as_the_field_needs() -> None:
    lab, field = drawn(1, 6), drawn(1, 6, seed=1)
    dim = Served(field.outputs._replace(gate=field.outputs.gate - 3), field.labels, field.paths, [])
    calibration = fit(Looks(lab, lab), Looks(dim, dim))
    passed = expit(dim.outputs.gate / calibration.gate_temperature) >= calibration.gate_threshold
    assert (~passed[dim.tomato]).mean() <= FALSE_REJECT["field"] + 0.002
