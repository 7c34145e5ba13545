from typing import Any

import numpy as np
import pytest

from training.augmentation import Augmentation
from training.prepared import SIDE, Prepared
from training.recipe import Recipe
from training.sampling import Sampler
from training.strength import Strength

RECIPE = Recipe(architecture="tiny", steps=1, learning_rate=1, field=0)
STILL = Strength(smallest_crop=1, smallest_field_crop=1, turn=0, colour=0, background=0, degrade=0, mixed=0)


@pytest.fixture
def still(train: Prepared) -> dict[str, Any]:
    """Four tomato leaves as they are."""
    drawn, _ = Sampler(train, RECIPE).batch(4, STILL)
    leaf = np.flatnonzero((train.labels >= 0) & ~train.field)[[0, 9, 20, 33]]
    upright = np.tile(np.array([[SIDE, 0, SIDE / 2], [0, SIDE, SIDE / 2]]), (4, 1, 1))
    ones = np.ones(4)
    return {**drawn, "leaf": leaf, "warp": upright, "present": ones, "pasted": 0 * ones, "shade": 0 * ones}


def changed(train: Prepared, drawn: dict[str, Any], px: int = SIDE, **changes: Any) -> Any:
    arrays = {name: np.full(4, value) for name, value in changes.items() if np.isscalar(value)}
    return Augmentation(train.rgba)({**drawn, **changes, **arrays}, px).astype(int)


def test_nothing_drawn_changes_nothing(train: Prepared, still: dict[str, Any]) -> None:
    np.testing.assert_allclose(changed(train, still), train.rgba[still["leaf"], ..., :3], atol=1)


def test_turned_and_mirrored_as_numpy_does(train: Prepared, still: dict[str, Any]) -> None:
    photographs = train.rgba[still["leaf"], ..., :3].astype(int)
    mirrored = still["warp"] * np.array([[-1, 1, 1], [1, 1, 1]], np.float32)
    np.testing.assert_allclose(changed(train, still, warp=mirrored), photographs[:, :, ::-1], atol=1)
    turned = np.tile(np.array([[0, -SIDE, SIDE / 2], [SIDE, 0, SIDE / 2]], np.float32), (4, 1, 1))
    np.testing.assert_allclose(changed(train, still, warp=turned), np.rot90(photographs, 1, (1, 2)), atol=1)


def test_a_new_background_leaves_the_leaf_as_it_was(train: Prepared, still: dict[str, Any]) -> None:
    after = changed(train, still, pasted=1, flat=1, corners=np.full((4, 2, 2, 3), 40, np.float32), grain=0)
    rgba = train.rgba[still["leaf"]].astype(int)
    inside, outside = rgba[..., 3] == 255, rgba[..., 3] == 0
    assert np.abs(after - rgba[..., :3])[inside].max() <= 1
    assert (after[outside] == 40).all()
    empty = changed(train, still, pasted=1, present=0, flat=1, corners=np.full((4, 2, 2, 3), 40, np.float32), grain=0)
    assert (empty == 40).all()


def test_a_shadow_darkens_beside_the_leaf(train: Prepared, still: dict[str, Any]) -> None:
    under: dict[str, Any] = {"pasted": 1, "flat": 1, "corners": np.full((4, 2, 2, 3), 200, np.float32), "grain": 0}
    shadow = np.full((4, 2), 6, np.float32)
    bright, dark = (changed(train, still, **under, shade=shade, shadow=shadow) for shade in (0, 0.5))
    assert (dark <= bright).all()
    assert ((dark < 150) & (bright == 200)).any(axis=(1, 2, 3)).all()


def test_light_scales_channels(train: Prepared, still: dict[str, Any]) -> None:
    plain = changed(train, still)
    gained = changed(train, still, gain=np.tile(np.array([0.5, 1, 1], np.float32), (4, 1)))
    np.testing.assert_allclose(gained[..., 0], plain[..., 0] / 2, atol=1)
    np.testing.assert_allclose(gained[..., 1:], plain[..., 1:], atol=1)
    grey = changed(train, still, saturation=0)
    assert np.ptp(grey, axis=-1).max() <= 1


def test_mixed_with_its_mirror_image_in_the_batch(train: Prepared, still: dict[str, Any]) -> None:
    plain = changed(train, still)
    np.testing.assert_allclose(changed(train, still, share=0.25), 0.25 * plain + 0.75 * plain[::-1], atol=1)
    assert changed(train, still, px=32, noise=9).shape == (4, 32, 32, 3)


def test_blur_noise_and_jpeg_each_change_the_image(train: Prepared, still: dict[str, Any]) -> None:
    plain = changed(train, still)
    for flaw in ({"blur": 1.5}, {"noise": 6}, {"quality": 30}):
        difference = np.abs(changed(train, still, **flaw) - plain)
        assert 0.2 < difference.mean() < 12, flaw
