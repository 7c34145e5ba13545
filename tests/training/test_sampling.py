from pathlib import Path

import numpy as np
import pytest

from schemas.labels import LABELS
from training.dataset import NEGATIVE
from training.prepared import SIDE, Prepared, prepare
from training.sampling import CORNER, NEGATIVE_SHARE, Sampler
from training.strength import Strength

MILD = Strength(smallest_crop=1, turn=0, colour=0, background=0, degrade=0, mixed=0)


@pytest.fixture(scope="module")
def train(leaves: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(leaves / "train.zip", tmp_path_factory.mktemp("prepared"))


def test_rare_classes_are_seen_more_often_than_they_occur(train: Prepared) -> None:
    kept = np.concatenate([np.flatnonzero(train.labels != 5), np.flatnonzero(train.labels == 5)[:2]])
    drawn, targets = Sampler(Prepared(train.rgba[kept], train.labels[kept], ""), seed=0).batch(4000, MILD)
    tomato = drawn["tomato"] == 1
    assert 1 - tomato.mean() == pytest.approx(NEGATIVE_SHARE, abs=0.02)
    shares = targets[tomato].mean(axis=0)
    assert shares[5] == pytest.approx(2**0.5 / (2**0.5 + 9 * 8**0.5), abs=0.01)
    assert shares[5] > 2 / (2 + 9 * 8)


def test_targets_belong_to_the_photographs(train: Prepared) -> None:
    drawn, targets = Sampler(train, seed=0).batch(500, MILD)
    tomato = drawn["tomato"] == 1
    assert (train.labels[drawn["leaf"]][tomato] == targets[tomato].argmax(axis=1)).all()
    shown = ~tomato & (drawn["present"] == 1)
    assert (train.labels[drawn["leaf"]][shown] == NEGATIVE).all()
    assert (drawn["pasted"][drawn["present"] == 0] == 1).all()


def test_tomato_leaves_are_mixed_with_tomato_leaves_only(train: Prepared) -> None:
    drawn, targets = Sampler(train, seed=0).batch(512, Strength(1, 0, 0, 0, 0, mixed=1))
    tomato, share = drawn["tomato"], drawn["share"]
    assert (share[tomato != tomato[::-1]] == 1).all()
    assert (share[tomato == tomato[::-1]] < 1).mean() > 0.95
    both = (tomato == 1) & (tomato[::-1] == 1)
    labels = np.eye(len(LABELS))[train.labels[drawn["leaf"]]]
    expected = labels * share[:, None] + labels[::-1] * (1 - share[:, None])
    np.testing.assert_allclose(targets[both], expected[both], atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_a_round_shows_every_photograph_once(train: Prepared) -> None:
    sampler = Sampler(train, seed=0)
    members = np.flatnonzero(train.labels == 3)
    assert sorted(sampler._next(3) for _ in members) == members.tolist()


def test_desks_are_leafless_corners(train: Prepared) -> None:
    desks = Sampler(train, seed=0)._desks.astype(int)
    assert len(desks)
    for photograph, x, y in desks[:: max(1, len(desks) // 50)]:
        half = CORNER // 2
        assert not train.rgba[photograph, y - half : y + half, x - half : x + half, 3].any()
        assert {x, y} <= {half, SIDE - half}


def test_without_other_photographs_bare_backgrounds_stand_in(train: Prepared) -> None:
    tomato = train.labels != NEGATIVE
    only = Prepared(train.rgba[tomato], train.labels[tomato], "")
    drawn, _ = Sampler(only, seed=0).batch(64, Strength.at(0.5))
    assert 0 < drawn["tomato"].sum() < 64
    assert (drawn["present"] == drawn["tomato"]).all()


@pytest.mark.parametrize("balance", [0, 0.5, 1])
def test_a_class_that_does_not_occur_is_never_drawn(train: Prepared, balance: float) -> None:
    kept = train.labels != 3
    sampler = Sampler(Prepared(train.rgba[kept], train.labels[kept], ""), seed=0, balance=balance)
    assert not sampler.batch(500, MILD).targets[:, 3].any()


def test_samples_follow_from_the_seed(train: Prepared) -> None:
    strong = Strength.at(0.5)
    one, same, other = (Sampler(train, seed=seed).batch(8, strong).drawn for seed in (9, 9, 8))
    for name, values in one.items():
        np.testing.assert_array_equal(values, same[name])
    assert not np.array_equal(one["warp"], other["warp"])
