"""Copies of a split with other backgrounds: what a model that learnt the desk fails on."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from schemas.labels import NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM
from training.cutouts import leaf_mask
from training.dataset import DatasetError, photographs, usable
from training.prepared import picture, square


def swap_backgrounds(source: Path, destination: Path, *, side: int = 128, seed: int = 0) -> Path:
    """Write a zip of `<label>/*`: each tomato leaf that can be cut out, on a scene of the same split; returns its path.

    Scenes are the `not_tomato_leaf` photographs from which nothing can be cut out, so no training scene is used.
    A photograph that can't be decoded is skipped with a warning. Raises DatasetError where there is no scene.
    """
    random = np.random.default_rng(seed)
    leaves, scenes = [], []
    for item in usable(photographs(source)):
        if (image := picture(item)) is None:
            continue
        rgb = square(image, side)
        mask = leaf_mask(rgb)
        if item.label == NOT_TOMATO_LEAF and mask is None:
            scenes.append(rgb)
        elif item.label not in {NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM} and mask is not None:
            leaves.append((item.path, np.dstack([rgb, mask])))
    if not scenes:
        msg = f"{source} has no not_tomato_leaf photograph without a leaf to put leaves on"
        raise DatasetError(msg, "Add some everyday photographs.")
    destination.parent.mkdir(parents=True, exist_ok=True)
    path = destination.with_suffix(".zip")
    partial = path.with_suffix(f".{os.getpid()}.zip")  # both networks may be calibrated at once
    with zipfile.ZipFile(partial, "w") as archive:
        for name, rgba in leaves:
            stream = io.BytesIO()
            Image.fromarray(paste(rgba, scenes[random.integers(len(scenes))])).save(stream, "PNG")
            archive.writestr(str(Path(name).with_suffix(".png")), stream.getvalue())
    return partial.replace(path)


def paste(rgba: NDArray[np.uint8], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put a cut-out leaf [h, w, 4] on a background [h, w, 3]."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    return np.asarray(rgba[..., :3] * alpha + background * (1 - alpha), np.uint8)
