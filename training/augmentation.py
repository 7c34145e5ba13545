"""Random changes to one training photograph: geometry, background, colour, blur, noise and JPEG."""

import io
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.dataset import NEGATIVE
from training.prepared import SIDE, Prepared

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Strength:
    """How much is changed."""

    smallest_crop: float
    """Least share of the photograph's side that is kept."""
    turn: float
    """Largest rotation in degrees, on top of quarter turns and flips."""
    colour: float
    """Scale of brightness, contrast, saturation and hue changes."""
    background: float
    """Share of the cut-out leaves that are put on another background."""
    degrade: float
    """Probability of blur, noise and of JPEG compression, each."""

    @classmethod
    def at(cls, progress: float) -> "Strength":
        """Grows with the image size (EfficientNetV2, arXiv:2104.00298), mild at the end (FixRes, arXiv:1906.06423)."""
        if progress > 0.88:
            return cls(smallest_crop=0.85, turn=10, colour=0.5, background=0.35, degrade=0.15)
        grown = min(1.0, 0.5 + progress)
        return cls(
            smallest_crop=0.85 - 0.3 * grown, turn=30 * grown, colour=grown, background=0.45, degrade=0.25 * grown
        )

    def scaled(self, background: float, colour: float) -> "Strength":
        """With other backgrounds, and changes of colour, blur, noise and JPEG, so many times as often or as strong."""
        return replace(
            self,
            background=self.background * background,
            colour=self.colour * colour,
            degrade=self.degrade * colour,
        )


class Augmenter:
    """Draws training samples from a prepared split: `sample` is a pure function of the generator's state."""

    def __init__(self, data: Prepared) -> None:
        self._data = data
        self._negatives = np.flatnonzero(data.labels == NEGATIVE)
        cut = np.zeros(len(data.labels), bool)
        for start in range(0, len(cut), 512):
            cut[start : start + 512] = data.rgba[start : start + 512, ::8, ::8, 3].any(axis=(1, 2))
        self._cut = cut
        self._scenes = self._negatives[~cut[self._negatives]]
        self._desks = np.flatnonzero(cut)

    def sample(self, index: int, px: int, strength: Strength, random: np.random.Generator) -> Rgb:
        """One changed photograph, uint8 RGB [px, px, 3]."""
        rgba = self._warp(self._data.rgba[index], px, strength, random)
        image = rgba[..., :3]
        if self._cut[index] and random.random() < strength.background:
            image = paste(rgba, self.background(px, random), random)
        return degrade(recolour(image, strength.colour, random), strength.degrade, random)

    def background(self, px: int, random: np.random.Generator) -> Rgb:
        """A leafless picture: an everyday scene, another photograph's desk, a flat or graded colour, or black."""
        kind = random.uniform(0 if len(self._scenes) else 0.5, 1)
        if kind < 0.5:
            scene = self._data.rgba[random.choice(self._scenes)]
            size = int(SIDE * random.uniform(0.3, 1.0))
            top, left = random.integers(0, SIDE - size + 1, 2)
            return turned(cv2.resize(scene[top : top + size, left : left + size, :3], (px, px)), random)
        if kind < 0.75:
            return turned(self._desk(px, random), random)
        if kind < 0.9:
            corners = random.uniform(0, 255, 3) + random.normal(0, 25, (2, 2, 3))
            graded = cv2.resize(corners.astype(np.float32), (px, px), interpolation=cv2.INTER_LINEAR)
            grain = random.normal(0, random.uniform(0, 12), (px, px, 1)).astype(np.float32)
            return np.asarray(np.clip(graded + grain, 0, 255), np.uint8)
        return np.zeros((px, px, 3), np.uint8)

    def _desk(self, px: int, random: np.random.Generator) -> Rgb:
        """The leafless corner of some other photograph, so that no desk belongs to a class."""
        for _ in range(4 if len(self._desks) else 0):
            rgba = self._data.rgba[random.choice(self._desks)]
            size = int(random.integers(16, 40))
            top, left = random.choice([0, SIDE - size], 2)
            corner = rgba[top : top + size, left : left + size]
            if not corner[..., 3].any():
                patch = np.ascontiguousarray(corner[..., :3])
                return np.asarray(cv2.resize(patch, (px, px), interpolation=cv2.INTER_CUBIC), np.uint8)
        return np.full((px, px, 3), random.integers(0, 256, 3), np.uint8)

    @staticmethod
    def _warp(rgba: Rgb, px: int, strength: Strength, random: np.random.Generator) -> Rgb:
        """Crop, stretch, turn and flip in one resampling."""
        kept = random.uniform(strength.smallest_crop, 1.0)
        stretch = np.exp(random.uniform(-0.12, 0.12))
        angle = np.deg2rad(random.uniform(-strength.turn, strength.turn)) + random.integers(4) * np.pi / 2
        flip = random.choice([-1.0, 1.0])
        scale = kept * SIDE / px
        cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
        matrix = np.array([[cosine * flip * stretch, -sine, 0], [sine * flip * stretch, cosine, 0]])
        slack = (1 - kept) * SIDE / 2
        centre = SIDE / 2 + random.uniform(-slack, slack, 2)
        matrix[:, 2] = centre - matrix[:, :2] @ np.array([px / 2, px / 2])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        whole = np.ascontiguousarray(rgba)
        warped = cv2.warpAffine(whole, matrix, (px, px), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(warped, np.uint8)


def paste(rgba: Rgb, background: Rgb, random: np.random.Generator | None = None) -> Rgb:
    """Put a cut-out leaf on a background; with `random`, sometimes with a soft shadow."""
    alpha = rgba[..., 3:].astype(np.float32) / 255
    under = background.astype(np.float32)
    if random is not None and random.random() < 0.4:
        shift = random.uniform(-6, 6, 2) * len(rgba) / SIDE
        moved = cv2.warpAffine(rgba[..., 3], np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), rgba.shape[1::-1])
        shadow = cv2.GaussianBlur(moved, (0, 0), 2).astype(np.float32)[..., None] / 255
        under = under * (1 - random.uniform(0.2, 0.6) * shadow)
    return np.asarray(rgba[..., :3] * alpha + under * (1 - alpha), np.uint8)


def recolour(image: Rgb, amount: float, random: np.random.Generator) -> Rgb:
    """Change brightness, contrast, saturation, white balance and (little) hue."""
    pixels = image.astype(np.float32)
    gain = np.exp(amount * random.normal(0, 0.16) + amount * random.normal(0, 0.05, 3))
    grey = pixels.mean(axis=2, keepdims=True)
    saturation = np.exp(amount * random.normal(0, 0.18))
    contrast = np.exp(amount * random.normal(0, 0.13))
    mean = float(grey.mean())
    pixels = (grey + (pixels - grey) * saturation - mean) * contrast + mean
    return np.asarray(np.clip(pixels * gain.astype(np.float32), 0, 255), np.uint8)


def degrade(image: Rgb, probability: float, random: np.random.Generator) -> Rgb:
    """Blur, noise and JPEG artefacts, as cameras add them."""
    blur, noise, jpeg = random.random(3) < probability
    if blur:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.3, 1.0) * len(image) / 96)
    if noise:
        grain = random.normal(0, random.uniform(1, 8), image.shape).astype(np.float32)
        image = np.clip(image + grain, 0, 255).astype(np.uint8)
    if jpeg:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=int(random.integers(40, 95)))
        image = np.asarray(Image.open(stream).convert("RGB"))
    return image


def turned(image: Rgb, random: np.random.Generator) -> Rgb:
    """A quarter turn and flip at random."""
    image = np.rot90(image, int(random.integers(4)))
    return np.ascontiguousarray(image[:, ::-1] if random.random() < 0.5 else image)
