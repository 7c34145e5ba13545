import numpy as np
import pytest

from schemas.labels import LABELS
from training.dataset import NEGATIVE, OTHER_PROBLEM
from training.prepared import SIDE, Prepared
from training.recipe import Recipe
from training.sampling import CLASSES, CORNER, NEGATIVE_SHARE, Sampler
from training.strength import Strength

RECIPE = Recipe(architecture="tiny", steps=1, learning_rate=1)
LAB = RECIPE.model_copy(update={"field": 0})
MILD = Strength(smallest_crop=1, smallest_field_crop=1, turn=0, colour=0, background=0, degrade=0, mixed=0)


def test_rare_classes_are_seen_more_often_than_they_occur(train: Prepared) -> None:
    kept = np.concatenate([np.flatnonzero(train.labels != 5), np.flatnonzero((train.labels == 5) & ~train.field)[:2]])
    drawn, targets = Sampler(train.chosen(kept), LAB).batch(4000, MILD)
    tomato = drawn["tomato"]
    assert 1 - tomato.mean() == pytest.approx(NEGATIVE_SHARE, abs=0.02)
    shares = targets[tomato].mean(axis=0)
    assert shares[5] == pytest.approx(2**0.5 / (2**0.5 + 9 * 8**0.5), abs=0.01)
    assert shares[5] > 2 / (2 + 9 * 8)


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_lab_and_field_have_their_shares_of_a_batch(train: Prepared, share: float) -> None:
    drawn, _ = Sampler(train, RECIPE.model_copy(update={"field": share})).batch(2000, MILD)
    assert train.field[drawn["leaf"]].mean() == pytest.approx(share, abs=0.04)


def test_without_field_photographs_all_are_of_the_lab(train: Prepared) -> None:
    drawn, _ = Sampler(train.chosen(~train.field), RECIPE).batch(64, MILD)
    assert len(drawn["leaf"]) == 64


def test_a_source_left_out_is_not_drawn_nor_a_background(train: Prepared) -> None:
    recipe = RECIPE.model_copy(update={"without": ("north",)})
    drawn, _ = Sampler(train, recipe).batch(2000, Strength.at(0.5))
    north = train.of_sources("north")
    assert not north[drawn["leaf"]].any()
    assert not north[drawn["scene"]].any()


def test_field_photographs_of_other_plants_are_backgrounds_unless_told_otherwise(train: Prepared) -> None:
    strong = Strength.at(0.5)
    anywhere = Sampler(train, RECIPE).batch(2000, strong).drawn
    lab = Sampler(train, RECIPE.model_copy(update={"wild_scenes": False})).batch(2000, strong).drawn
    assert train.field[anywhere["scene"]].any()
    assert not train.field[lab["scene"]].any()


def test_targets_belong_to_the_images(train: Prepared) -> None:
    drawn, targets = Sampler(train, RECIPE).batch(800, MILD)
    tomato, labels = drawn["tomato"], train.labels[drawn["leaf"]]
    expected = np.where(labels == OTHER_PROBLEM, len(LABELS), labels)
    assert targets.shape == (800, CLASSES)
    assert (expected[tomato] == targets[tomato].argmax(axis=1)).all()
    assert (labels[tomato] == OTHER_PROBLEM).any()
    assert (labels[~tomato & drawn["present"]] == NEGATIVE).all()
    assert drawn["pasted"][~drawn["present"]].all()


def test_tomato_leaves_are_mixed_with_tomato_leaves_only(train: Prepared) -> None:
    drawn, targets = Sampler(train, LAB).batch(512, Strength(1, 1, 0, 0, 0, 0, mixed=1))
    tomato, share = drawn["tomato"], drawn["share"]
    assert (share[tomato != tomato[::-1]] == 1).all()
    assert (share[tomato == tomato[::-1]] < 1).mean() > 0.95
    both = tomato & tomato[::-1]
    labels = np.eye(CLASSES)[train.labels[drawn["leaf"]]]
    expected = labels * share[:, None] + labels[::-1] * (1 - share[:, None])
    np.testing.assert_allclose(targets[both], expected[both], atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)


def test_a_round_shows_every_image_once(train: Prepared) -> None:
    kept = np.flatnonzero((train.labels == 3) & ~train.field)
    pool = Sampler(train.chosen(kept), RECIPE)._pools[False]
    assert sorted(pool.draw(tomato=True) for _ in kept) == list(range(len(kept)))


def test_a_crop_keeps_its_shape_and_stays_in_the_image(train: Prepared) -> None:
    drawn, _ = Sampler(train, RECIPE).batch(500, MILD)
    warp, aspect = drawn["warp"], train.aspect[drawn["leaf"]]
    across, down = np.abs(warp[:, 0, :2]).sum(axis=1), np.abs(warp[:, 1, :2]).sum(axis=1)
    stretched = across * aspect / down
    assert (np.abs(np.log(stretched)) < 0.13).all(), "stretched by at most 12 %, whatever the stored shape"
    reach = np.abs(warp[:, 0, 2] - SIDE / 2) + across / 2
    assert (reach[~drawn["pasted"]] < SIDE / 2 * 1.13).all()


def test_desks_are_leafless_corners(train: Prepared) -> None:
    desks = Sampler(train, RECIPE)._desks.astype(int)
    assert len(desks)
    for image, x, y in desks[:: max(1, len(desks) // 50)]:
        half = CORNER // 2
        assert not train.rgba[image, y - half : y + half, x - half : x + half, 3].any()
        assert {x, y} <= {half, SIDE - half}


def test_without_other_images_bare_backgrounds_stand_in(train: Prepared) -> None:
    drawn, _ = Sampler(train.chosen(train.labels != NEGATIVE), RECIPE).batch(64, Strength.at(0.5))
    assert 0 < drawn["tomato"].sum() < 64
    assert (drawn["present"] == drawn["tomato"]).all()


@pytest.mark.parametrize("balance", [0, 0.5, 1])
def test_a_class_that_does_not_occur_is_never_drawn(train: Prepared, balance: float) -> None:
    sampler = Sampler(train.chosen(train.labels != 3), RECIPE.model_copy(update={"balance": balance}))
    assert not sampler.batch(500, MILD).targets[:, 3].any()


def test_samples_follow_from_seed_and_step(train: Prepared) -> None:
    strong = Strength.at(0.5)
    one, same, later = (Sampler(train, RECIPE, step).batch(8, strong).drawn for step in (9, 9, 8))
    for name, values in one.items():
        np.testing.assert_array_equal(values, same[name])
    assert not np.array_equal(one["warp"], later["warp"])
