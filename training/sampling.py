"""Which photographs a batch is made of, and the random numbers that say how each is changed."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LABELS
from training.dataset import NEGATIVE
from training.prepared import SIDE, Prepared
from training.strength import Strength

NEGATIVE_SHARE: Final = 0.25
"""Share of a batch that shows no tomato leaf."""
EMPTY_SHARE: Final = 0.2
"""Share of those that is a bare background, so that a pasted leaf's surroundings don't mean `tomato`."""
BACKGROUNDS: Final = {"scene": 0.5, "desk": 0.25, "flat": 0.15, "black": 0.1}
"""How often a new background is an everyday scene, the leafless corner of another photograph, colours, or black."""
CORNER: Final = 28
"""Side of those corners, pixels."""

INPUTS: Final[dict[str, tuple[tuple[int, ...], str]]] = {
    "leaf": ((), "int32"),
    "warp": ((2, 3), "float32"),
    "pasted": ((), "float32"),
    "present": ((), "float32"),
    "scene": ((), "int32"),
    "scene_warp": ((2, 3), "float32"),
    "flat": ((), "float32"),
    "corners": ((2, 2, 3), "float32"),
    "grain": ((), "float32"),
    "shade": ((), "float32"),
    "shadow": ((2,), "float32"),
    "gain": ((3,), "float32"),
    "saturation": ((), "float32"),
    "contrast": ((), "float32"),
    "blur": ((), "float32"),
    "noise": ((), "float32"),
    "quality": ((), "float32"),
    "share": ((), "float32"),
    "tomato": ((), "float32"),
}
"""Shape and type of what is drawn for each photograph: `leaf` and `scene` are positions in the prepared split.

Where `pasted` is 1 the cut-out leaf (none, where `present` is 0) lies on another background: the warped scene or,
where `flat` is 1, colours graded between four `corners` with `grain`; `shade` darkens where its `shadow`, moved so
many pixels, falls. `blur` and `noise` are standard deviations, `quality` is JPEG's, 0 for none. `share` of the result
is this photograph, the rest its mirror image in the batch. `tomato` says whether it shows a tomato leaf.
"""

Drawn = dict[str, NDArray[Any]]


class Batch(NamedTuple):
    """`drawn` is the augmentation's input, `targets` float32 [N, 10] means nothing where its `tomato` is 0."""

    drawn: Drawn
    targets: NDArray[np.float32]


class Sampler:
    """Draws classes with probability ~ count ** balance, and each class's photographs in shuffled rounds."""

    def __init__(self, data: Prepared, seed: int, balance: float = 0.5) -> None:
        self._random = np.random.default_rng(seed)
        self._members = {label: np.flatnonzero(data.labels == label) for label in range(NEGATIVE, len(LABELS))}
        self._rounds: dict[int, list[int]] = {label: [] for label in self._members}
        self._empty_share = EMPTY_SHARE if len(self._members[NEGATIVE]) else 1.0
        counts = np.array([len(self._members[label]) for label in range(len(LABELS))])
        weights = np.where(counts, counts**balance, 0)
        self._shares = weights / weights.sum()
        self._cut, self._desks = _scan(data)
        self._scenes = self._members[NEGATIVE][~self._cut[self._members[NEGATIVE]]]

    def batch(self, size: int, strength: Strength) -> Batch:
        """One batch; tomato leaves are mixed with tomato leaves only."""
        random = self._random
        tomato = random.random(size) >= NEGATIVE_SHARE
        empty = ~tomato & (random.random(size) < self._empty_share)
        labels = random.choice(len(LABELS), size, p=self._shares)
        leaf = np.array([self._next(int(label)) for label in np.where(tomato | empty, labels, NEGATIVE)])
        pasted = empty | (self._cut[leaf] & (random.random(size) < strength.background))
        mixed = (random.random(size) < strength.mixed) & (tomato == tomato[::-1])
        share = np.where(mixed, random.beta(0.6, 0.6, size), 1)
        drawn = {
            "leaf": leaf,
            "warp": self._warps(size, strength),
            "pasted": pasted,
            "present": ~empty,
            **self._backgrounds(size),
            **self._light(size, strength),
            **self._flaws(size, strength.degrade),
            "share": share,
            "tomato": tomato,
        }
        targets = np.eye(len(LABELS), dtype=np.float32)[labels]
        targets = targets * share[:, None] + targets[::-1] * (1 - share[:, None])
        return Batch(
            {name: np.asarray(value, INPUTS[name][1]) for name, value in drawn.items()},
            targets.astype(np.float32),
        )

    def _next(self, label: int) -> int:
        if not self._rounds[label]:
            self._rounds[label] = list(self._random.permutation(self._members[label]))
        return int(self._rounds[label].pop())

    def _warps(self, size: int, strength: Strength) -> NDArray[np.floating]:
        """Crop, stretch, turn and flip, [N, 2, 3]."""
        random = self._random
        kept = random.uniform(strength.smallest_crop, 1, size)
        angle = (
            np.deg2rad(random.uniform(-strength.turn, strength.turn, size)) + random.integers(4, size=size) * np.pi / 2
        )
        across = random.choice([-1.0, 1.0], size) * np.exp(random.uniform(-0.12, 0.12, size))
        slack = (1 - kept) * SIDE / 2
        centre = SIDE / 2 + random.uniform(-1, 1, (2, size)) * slack
        return _matrices(kept * SIDE, angle, across, centre)

    def _backgrounds(self, size: int) -> Drawn:
        random = self._random
        shares = dict(BACKGROUNDS)
        if not len(self._scenes):
            shares["scene"] = 0
        if not len(self._desks):
            shares["desk"] = 0
        kinds = random.choice(list(shares), size, p=np.array(list(shares.values())) / sum(shares.values()))
        desk = kinds == "desk"
        scene = random.choice(self._scenes, size) if len(self._scenes) else np.zeros(size, int)
        side = SIDE * random.uniform(0.3, 1, size)
        centre = side / 2 + random.random((2, size)) * (SIDE - side)
        if len(self._desks):
            where = self._desks[random.integers(len(self._desks), size=size)]
            scene, side = np.where(desk, where[:, 0], scene), np.where(desk, CORNER, side)
            centre = np.where(desk, where[:, 1:].T, centre)
        turned = random.integers(4, size=size) * np.pi / 2
        corners = random.uniform(0, 255, (size, 1, 1, 3)) + random.normal(0, 25, (size, 2, 2, 3))
        black = kinds == "black"
        return {
            "scene": scene,
            "scene_warp": _matrices(side, turned, random.choice([-1.0, 1.0], size), centre),
            "flat": black | (kinds == "flat"),
            "corners": np.where(black[:, None, None, None], 0, corners),
            "grain": np.where(black, 0, random.uniform(0, 12, size)),
            "shade": np.where(random.random(size) < 0.4, random.uniform(0.2, 0.6, size), 0),
            "shadow": random.uniform(-6, 6, (size, 2)),
        }

    def _light(self, size: int, strength: Strength) -> Drawn:
        random, amount = self._random, strength.colour
        return {
            "gain": np.exp(amount * (random.normal(0, 0.16, (size, 1)) + random.normal(0, 0.05, (size, 3)))),
            "saturation": np.exp(amount * random.normal(0, 0.18, size)),
            "contrast": np.exp(amount * random.normal(0, 0.13, size)),
        }

    def _flaws(self, size: int, probability: float) -> Drawn:
        random = self._random
        blur, noise, jpeg = random.random((3, size)) < probability
        return {
            "blur": np.where(blur, random.uniform(0.3, 1.2, size), 0),
            "noise": np.where(noise, random.uniform(1, 8, size), 0),
            "quality": np.where(jpeg, random.integers(40, 95, size), 0),
        }


def _matrices(
    side: NDArray[np.floating], angle: NDArray[np.floating], across: NDArray[np.floating], centre: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Warps [N, 2, 3] that show squares of so many pixels, turned, `across` scaled, about their centres [2, N]."""
    cosine, sine = np.cos(angle) * side, np.sin(angle) * side
    rows = [[cosine * across, -sine, centre[0]], [sine * across, cosine, centre[1]]]
    return np.moveaxis(np.array(rows), -1, 0)


def _scan(data: Prepared) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Which photographs have a cut-out [N], and their leafless corners as (photograph, x, y of the centre) [M, 3]."""
    cut = np.zeros(len(data.labels), bool)
    near, far = slice(0, CORNER), slice(SIDE - CORNER, SIDE)
    desks: list[NDArray[np.floating]] = []
    for start in range(0, len(cut), 512):
        alpha = data.rgba[start : start + 512, ..., 3]
        cut[start : start + 512] = alpha[:, ::8, ::8].any(axis=(1, 2))
        for rows in (near, far):
            for columns in (near, far):
                bare = ~alpha[:, rows, columns].any(axis=(1, 2)) & cut[start : start + 512]
                centres = np.array([columns.start + CORNER / 2, rows.start + CORNER / 2])
                found = start + np.flatnonzero(bare)
                desks.append(np.column_stack([found, np.tile(centres, (len(found), 1))]))
    return cut, np.concatenate(desks)
