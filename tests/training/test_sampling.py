from pathlib import Path

import numpy as np
import pytest

from schemas.labels import LABELS
from training.augmentation import Augmenter, Strength
from training.dataset import NEGATIVE
from training.prepared import SIDE, Prepared, prepare
from training.sampling import NEGATIVE_SHARE, Batch, Sampler, ahead

MILD = Strength(smallest_crop=1, turn=0, colour=0, background=0, degrade=0)


@pytest.fixture(scope="module")
def train(leaves: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(leaves / "train.zip", tmp_path_factory.mktemp("prepared"))


def test_rare_classes_are_seen_more_often_than_they_occur(train: Prepared) -> None:
    kept = np.concatenate([np.flatnonzero(train.labels != 5), np.flatnonzero(train.labels == 5)[:2]])
    sampler = Sampler(Prepared(train.rgba[kept], train.labels[kept], ""), seed=0)
    batch = sampler.batch(4000, 8, MILD)
    assert 1 - batch.tomato.mean() == pytest.approx(NEGATIVE_SHARE, abs=0.02)
    drawn = np.bincount(batch.labels[batch.tomato == 1], minlength=len(LABELS)) / batch.tomato.sum()
    assert drawn[5] == pytest.approx(2**0.5 / (2**0.5 + 9 * 8**0.5), abs=0.01)
    assert drawn[5] > 2 / (2 + 9 * 8)


def test_a_round_shows_every_photograph_once(train: Prepared) -> None:
    sampler = Sampler(train, seed=0)
    members = np.flatnonzero(train.labels == 3)
    assert sorted(sampler._next(3) for _ in members) == members.tolist()


def test_a_new_background_leaves_the_leaf_as_it_was(train: Prepared) -> None:
    augmenter = Augmenter(train)
    index = int(np.flatnonzero(train.labels == 2)[0])
    plain = Strength(1, 0, 0, background=0, degrade=0)
    pasted = Strength(1, 0, 0, background=1, degrade=0)
    before = augmenter.sample(index, SIDE, plain, np.random.default_rng(4)).astype(int)
    after = augmenter.sample(index, SIDE, pasted, np.random.default_rng(4)).astype(int)
    inside = augmenter._warp(train.rgba[index], SIDE, plain, np.random.default_rng(4))[..., 3] == 255
    outside = augmenter._warp(train.rgba[index], SIDE, plain, np.random.default_rng(4))[..., 3] == 0
    assert np.abs(before - after)[inside].max() <= 1
    assert np.abs(before - after)[outside].mean() > 10


def test_without_other_photographs_bare_backgrounds_stand_in(train: Prepared) -> None:
    tomato = train.labels != NEGATIVE
    batch = Sampler(Prepared(train.rgba[tomato], train.labels[tomato], ""), seed=0).batch(64, 32, Strength.at(0.5))
    assert 0 < batch.tomato.sum() < 64


def test_samples_follow_from_the_seed(train: Prepared) -> None:
    strong = Strength.at(0.5)
    batches = [Sampler(train, seed=9).batch(8, 32, strong) for _ in range(2)]
    np.testing.assert_array_equal(batches[0].images, batches[1].images)
    assert not np.array_equal(batches[0].images, Sampler(train, seed=8).batch(8, 32, strong).images)


def test_the_last_epochs_are_mild() -> None:
    early, late = Strength.at(0.5), Strength.at(0.95)
    assert late.smallest_crop > early.smallest_crop
    assert (late.turn, late.colour) < (early.turn, early.colour)


def test_an_error_in_the_thread_is_raised_where_the_batch_is_taken() -> None:
    def broken() -> Batch:
        message = "no disk"
        raise OSError(message)

    with pytest.raises(OSError, match="no disk"):
        next(ahead(broken))
