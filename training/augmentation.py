"""Random changes to training images.

The sampler draws every random number beforehand, so that what happens here is a function of its inputs. Geometry is
in pixels of the stored images: a warp is a matrix [2, 3] from output coordinates (-0.5 to 0.5) to source pixels.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.prepared import SIDE
from training.sampling import Drawn

Image = NDArray[np.float32]

NOISE_SIDE: Final = 512
"""Side of the table of normal numbers from which noise is cut: drawing them anew takes longer than all the rest."""


class Augmentation:
    """Changes images of one prepared split as a sampler has drawn."""

    def __init__(self, rgba: NDArray[np.uint8]) -> None:
        self._rgba = rgba
        self._noise = np.random.default_rng(0).normal(size=(NOISE_SIDE, NOISE_SIDE, 3)).astype(np.float32)

    def __call__(self, drawn: Drawn, px: int) -> NDArray[np.uint8]:
        """Drawn numbers (`training.sampling.DRAWN`, each [N, ...]) -> images [N, px, px, 3]."""
        rows = [{name: values[row] for name, values in drawn.items()} for row in range(len(drawn["leaf"]))]
        images = np.stack([self._changed(row, px) for row in rows])
        share = drawn["share"].reshape(-1, 1, 1, 1)
        if (share < 1).any():
            images = images * share + images[::-1] * (1 - share)
        return np.asarray(np.rint(images), np.uint8)

    def _changed(self, row: dict[str, Any], px: int) -> Image:
        image = recoloured(self._on_background(row, px), row)
        if row["blur"]:
            image = cv2.GaussianBlur(image, (0, 0), float(row["blur"]))
        if row["noise"]:
            image = image + row["noise"] * self._noise_like(image, row)
        image = np.clip(image, 0, 255)
        return compressed(image, int(row["quality"])) if row["quality"] else image

    def _on_background(self, row: dict[str, Any], px: int) -> Image:
        leaf = warped(self._rgba[row["leaf"]], row["warp"], px)
        if not row["pasted"]:
            return leaf[..., :3]
        if row["flat"]:
            under = graded(row["corners"], px)
            under = np.clip(under + row["grain"] * self._noise_like(under, row)[..., :1], 0, 255)
        else:
            under = warped(self._rgba[row["scene"]], row["scene_warp"], px)[..., :3]
        if not row["present"]:
            return under
        if row["shade"]:
            moved = row["warp"] + np.concatenate([np.zeros((2, 2)), row["shadow"][:, None]], axis=1)
            shadow = cv2.GaussianBlur(warped(self._rgba[row["leaf"]], moved, px)[..., 3], (0, 0), 2 * px / SIDE)
            under = under * (1 - row["shade"] * shadow[..., None] / 255)
        opaque = leaf[..., 3:] / 255
        return np.asarray(leaf[..., :3] * opaque + under * (1 - opaque), np.float32)

    def _noise_like(self, image: Image, row: dict[str, Any]) -> Image:
        top, left = (int(value * (NOISE_SIDE - image.shape[0])) for value in row["noise_at"])
        return self._noise[top : top + image.shape[0], left : left + image.shape[1]]


def warped(rgba: NDArray[np.uint8], warp: NDArray[np.floating], px: int) -> Image:
    """Sample an image bilinearly, mirrored beyond its borders; [SIDE, SIDE, 4] -> [px, px, 4]."""
    linear = warp[:, :2] / px
    at = linear @ np.array([0.5 - px / 2, 0.5 - px / 2]) + warp[:, 2] - 0.5
    matrix = np.concatenate([linear, at[:, None]], axis=1)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(rgba, matrix, (px, px), flags=flags, borderMode=cv2.BORDER_REFLECT), np.float32)


def graded(corners: NDArray[np.floating], px: int) -> Image:
    """Colours between those of the four corners [2, 2, 3] -> [px, px, 3]."""
    along = ((np.arange(px) + 0.5) / px)[:, None, None]
    left, right = (corners[0, side] + (corners[1, side] - corners[0, side]) * along for side in (0, 1))
    return np.asarray(left + (right - left) * along.reshape(1, px, 1), np.float32)


def recoloured(image: Image, row: dict[str, Any]) -> Image:
    """Other saturation, contrast (about the mean) and gain per channel."""
    grey = image.mean(axis=-1, keepdims=True)
    mean = grey.mean()
    image = (grey + (image - grey) * row["saturation"] - mean) * row["contrast"] + mean
    return np.asarray(np.clip(image * row["gain"], 0, 255), np.float32)


def compressed(image: Image, quality: int) -> Image:
    """What a JPEG of this quality leaves of an image."""
    _, jpeg = cv2.imencode(".jpg", np.rint(image).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.float32)
