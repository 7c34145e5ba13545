"""Cutting a leaf out of its photograph, so that it can be put on other backgrounds."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

PLAUSIBLE_AREA: Final = (0.12, 0.9)
"""Share of the photograph that a leaf may cover; anything else is a failed cut."""


def leaf_mask(rgb: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the leaf's alpha (uint8 [h, w], feathered by a pixel or two), or None where no plausible leaf stands out.

    The background is what the border ring looks like: pixels far from the ring's robust mean in Lab a/b (which
    ignores shadows, as they change L only), with L as a weak vote, are leaf. Never a hue range: lesions are not green.
    The largest component is kept and its holes are filled, so lesions of the background's colour stay in the leaf.
    """
    side = min(rgb.shape[:2])
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), side / 100)
    width = max(2, side // 25)
    ring = np.concatenate(
        [smooth[:width].reshape(-1, 3), smooth[-width:].reshape(-1, 3), smooth[:, :width].reshape(-1, 3),
         smooth[:, -width:].reshape(-1, 3)]
    )  # fmt: skip
    centre = np.median(ring, axis=0)
    near = ring[np.argsort(np.abs(ring - centre)[:, 1:].sum(axis=1))[: len(ring) // 2]]
    centre, spread = near.mean(axis=0), near.std(axis=0) + np.array([12, 1.5, 1.5], np.float32)
    difference = (smooth - centre) / spread
    distance = np.sqrt(difference[..., 1] ** 2 + difference[..., 2] ** 2 + 0.05 * difference[..., 0] ** 2)
    scaled = np.clip(distance * 12, 0, 255).astype(np.uint8)
    otsu, _ = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    found = (scaled > max(0.8 * otsu, 24)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    found = cv2.morphologyEx(cv2.morphologyEx(found, cv2.MORPH_OPEN, kernel), cv2.MORPH_CLOSE, kernel)
    count, regions, stats, _ = cv2.connectedComponentsWithStats(found)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    leaf = _without_holes((regions == largest).astype(np.uint8))
    covered = float(leaf.mean())
    if not PLAUSIBLE_AREA[0] <= covered <= PLAUSIBLE_AREA[1]:
        return None
    shrunk = cv2.erode(leaf, np.ones((3, 3), np.uint8)) * 255
    return np.asarray(cv2.GaussianBlur(shrunk, (0, 0), 0.8), np.uint8)


def _without_holes(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(framed, None, (0, 0), 2)
    return np.asarray(framed[1:-1, 1:-1] != 2, np.uint8)
