"""Synthetic leaves for the training tests."""

import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from schemas.labels import LABELS, NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM

SOURCES = ("north", "south")
"""Where the field photographs come from, in turn."""

COLOURS = [(30 + 20 * i, 120 + (37 * i) % 90, 20 + (53 * i) % 80) for i in range(len(LABELS))]


def leaf(label: int, seed: int, side: int = 128) -> NDArray[np.uint8]:
    """A leaf-shaped blob in its class's colour with spots, on a grey desk with a shadow."""
    random = np.random.default_rng((label, seed))
    image = np.full((side, side, 3), random.integers(120, 170), np.uint8)
    centre, axes = (side // 2, side // 2), (side * 3 // 10, side // 5)
    angle = float(random.uniform(0, 180))
    cv2.ellipse(image, (centre[0] + 5, centre[1] + 5), axes, angle, 0, 360, (70, 70, 70), -1)
    cv2.ellipse(image, centre, axes, angle, 0, 360, COLOURS[label], -1)
    cv2.circle(image, centre, side // 20, (130, 130, 130), -1)
    return np.clip(image + random.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def scene(seed: int, side: int = 128) -> NDArray[np.uint8]:
    """Grain on a coloured wall: no leaf."""
    random = np.random.default_rng(seed)
    grain = random.normal(random.uniform(0, 255, 3), 25, (side, side, 3))
    return np.asarray(np.clip(grain, 0, 255), np.uint8)


def encoded(image: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """The picture as a file's bytes."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def write_split(path: Path, per_class: int, seed: int) -> Path:
    """A zip of `<label>/<n>.png` with all eleven classes."""
    with zipfile.ZipFile(path, "w") as archive:
        for index, label in enumerate(LABELS):
            for shot in range(per_class):
                archive.writestr(f"{label}/{shot}.png", encoded(leaf(index, seed + shot)))
        for shot in range(3 * per_class):
            archive.writestr(f"{NOT_TOMATO_LEAF}/{shot}.png", encoded(scene(seed + shot)))
    return path


def write_field(path: Path, per_class: int, seed: int) -> list[str]:
    """A zip of `<label>/<n>.png` of wider pictures on a green ground, other problems among them; returns the names."""
    names = []
    with zipfile.ZipFile(path, "w") as archive:
        for index, label in enumerate((*LABELS, OTHER_TOMATO_PROBLEM, NOT_TOMATO_LEAF)):
            for shot in range(per_class):
                picture = scene(seed + shot) if label == NOT_TOMATO_LEAF else leaf(index % 10, seed + shot)
                wide = np.full((128, 160, 3), (60, 110, 50), np.uint8)
                wide[:, 16:144] = picture
                names.append(f"{label}/{shot}.png")
                archive.writestr(names[-1], encoded(wide))
    return names
