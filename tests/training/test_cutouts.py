import cv2
import numpy as np
import pytest
from leaves import leaf

from training.cutouts import PLAUSIBLE_AREA, leaf_mask


@pytest.mark.parametrize("label", range(10))
def test_the_leaf_is_found_without_its_shadow_and_with_its_grey_spot(label: int) -> None:
    mask = leaf_mask(leaf(label, seed=3))
    assert mask is not None
    random = np.random.default_rng((label, 3))
    random.integers(120, 170)
    truth = np.zeros((128, 128), np.uint8)
    cv2.ellipse(truth, (64, 64), (38, 25), float(random.uniform(0, 180)), 0, 360, 1, -1)
    found = mask > 127
    overlap = (found & (truth == 1)).sum() / (found | (truth == 1)).sum()
    assert overlap > 0.85
    assert found[60:68, 60:68].all(), "the lesion in the desk's colour is part of the leaf"


def test_the_edge_is_feathered() -> None:
    mask = leaf_mask(leaf(1, seed=0))
    assert mask is not None
    assert {0, 255} < set(np.unique(mask).tolist())


def test_nothing_is_cut_from_an_empty_desk() -> None:
    desk = np.random.default_rng(0).normal(140, 4, (128, 128, 3)).clip(0, 255).astype(np.uint8)
    assert leaf_mask(desk) is None


def test_a_speck_is_no_leaf() -> None:
    image = np.full((128, 128, 3), 140, np.uint8)
    cv2.circle(image, (64, 64), 8, (40, 160, 40), -1)
    assert np.pi * 8**2 / 128**2 < PLAUSIBLE_AREA[0]
    assert leaf_mask(image) is None
