from collections import Counter

import pytest
from examples import experiment
from hypothesis import given
from hypothesis import strategies as st
from workers import image_event

from schemas.experiment import Arm
from stream_workers.assignment import assign, draw

KEYS = [f"key-{number}" for number in range(20_000)]


def arms(*weights: float) -> list[Arm]:
    return [Arm(name=f"arm-{n}", model="m", version="1", weight=weight) for n, weight in enumerate(weights)]


@pytest.mark.parametrize("weights", [(0.5, 0.5), (0.9, 0.1), (0.2, 0.3, 0.5), (1.0,)])
def test_shares_follow_the_weights(weights) -> None:
    counts = Counter(draw(arms(*weights), "salt", key).name for key in KEYS)
    for number, weight in enumerate(weights):
        expected, sigma = weight * len(KEYS), (weight * (1 - weight) * len(KEYS)) ** 0.5
        assert abs(counts[f"arm-{number}"] - expected) <= 4 * sigma


@given(st.text(), st.text(min_size=1))
def test_no_weight_no_photograph(key, salt) -> None:
    assert draw(arms(0.0, 1.0, 0.0), salt, key).name == "arm-1"


@pytest.mark.parametrize(
    ("before", "after", "fewest"),
    [((0.5, 0.5), (0.6, 0.4), 0.1), ((0.25, 0.25, 0.5), (0.5, 1 / 6, 1 / 3), 0.25), ((0.5, 0.5), (0.5, 0.5), 0.0)],
)
def test_new_weights_move_as_few_as_possible(before, after, fewest) -> None:
    moved = [
        (old.name, new.name)
        for key in KEYS
        if (old := draw(arms(*before), "s", key)).name != (new := draw(arms(*after), "s", key)).name
    ]
    assert len(moved) / len(KEYS) == pytest.approx(fewest, abs=0.012)
    assert {new for _, new in moved} <= {"arm-0"}


def test_another_salt_mixes_anew() -> None:
    same = sum(draw(arms(0.5, 0.5), "a", key).name == draw(arms(0.5, 0.5), "b", key).name for key in KEYS)
    assert same / len(KEYS) == pytest.approx(0.5, abs=0.02)


def test_the_version_does_not_enter() -> None:
    for number in range(100):
        image = image_event(number)
        first, second = (assign(experiment(version=version), image) for version in (1, 2))
        assert first.answering == second.answering
        assert (first.experiment_version, second.experiment_version) == (1, 2)


@pytest.mark.parametrize("sticky", ["uploader", "camera"])
def test_the_sticky_key_decides(sticky) -> None:
    definition = experiment(sticky_key=sticky)
    for name in ("u1", "u2", "u3", "u4", "u5", "u6"):
        assert len({assign(definition, image_event(n, **{sticky: name})).answering for n in range(30)}) == 1
    without = {assign(definition, image_event(n)).answering.arm for n in range(60)}
    assert without == {"resnet50", "efficientnetb0"}


def test_shadows_compute_along() -> None:
    assignment = assign(experiment(), image_event())
    assert [variant.arm for variant in assignment.shadows] == ["new"]
    assert assignment.variants == (assignment.answering, *assignment.shadows)


def test_stopped_means_the_first_arm_and_no_experiment() -> None:
    for number in range(30):
        assignment = assign(experiment(status="stopped"), image_event(number))
        assert assignment.answering.arm == "resnet50"
        assert assignment.experiment is None
        assert assignment.experiment_version is None
        assert assignment.shadows == ()


def test_pinned() -> None:
    """The hash is part of the contract: replaying old photographs must find the same arms in years to come."""
    drawn = [draw(arms(0.5, 0.5), "default", f"image-{n}").name for n in range(12)]
    assert drawn == [f"arm-{number}" for number in [0, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1, 1]]
