"""Which images a batch is made of, and the random numbers that say how each is changed."""

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.labels import LABELS
from training.dataset import NEGATIVE, OTHER_PROBLEM
from training.prepared import SIDE, Prepared
from training.recipe import Recipe
from training.strength import Strength

NEGATIVE_SHARE: Final = 0.25
"""Share of a batch that shows no tomato leaf."""
EMPTY_SHARE: Final = 0.1
"""Share of those that is a bare background, so that a pasted leaf's surroundings don't mean `tomato`."""
BACKGROUNDS: Final = {"scene": 0.6, "desk": 0.2, "flat": 0.12, "black": 0.08}
"""How often a new background is a scene, the leafless corner of another image, colours, or black."""
CORNER: Final = 42
"""Side of those corners, pixels."""
FARTHEST: Final = 1.4
"""Side of the picture, in sides of the cut-out image, in which a pasted leaf is smallest."""
CLASSES: Final = len(LABELS) + 1
"""The ten, and any other problem."""

Drawn = dict[str, NDArray[Any]]
"""What is drawn for each of N images, by name: `leaf` and `scene` are positions in the prepared split.

Where `pasted` the cut-out leaf (none, where not `present`) lies on another background: the warped scene or, where
`flat`, colours graded between four `corners` with `grain`; `shade` darkens where its `shadow`, moved so many pixels,
falls. `blur` and `noise` are standard deviations, `quality` is JPEG's, 0 for none. `share` of the result is this image,
the rest its mirror image in the batch. `tomato` says whether it shows a tomato leaf.
"""


class Batch(NamedTuple):
    """`drawn` is the augmentation's input, `targets` float32 [N, 11] means nothing where its `tomato` is 0."""

    drawn: Drawn
    targets: NDArray[np.float32]


class Sampler:
    """Draws lab and field, in each a class, in it a source, with probability ~ count ** balance; images in rounds."""

    def __init__(self, data: Prepared, recipe: Recipe, step: int = 0) -> None:
        self._random = np.random.default_rng((recipe.seed, step))
        self._aspect = data.aspect
        self._labels = data.labels
        used = ~data.of_sources(*recipe.without)
        if not recipe.boxes:
            used &= ~data.boxed
        self._pools = {
            field: _Pool(data, np.flatnonzero(used & (data.field == field)), recipe.balance, self._random)
            for field in (False, True)
        }
        shares = np.array([1 - recipe.field, recipe.field]) * [pool.filled for pool in self._pools.values()]
        self._field_share = float(shares[1] / shares.sum())
        self._cut, self._desks = _scan(data)
        scenes = used & (data.labels == NEGATIVE) & ~self._cut
        self._scenes = np.flatnonzero(scenes if recipe.wild_scenes else scenes & ~data.field)

    def batch(self, size: int, strength: Strength) -> Batch:
        """One batch; tomato leaves are mixed with tomato leaves only."""
        random = self._random
        field = random.random(size) < self._field_share
        tomato = random.random(size) >= NEGATIVE_SHARE
        leaf = np.array([self._pools[bool(f)].draw(tomato=bool(t)) for f, t in zip(field, tomato, strict=True)])
        empty = ~tomato & ((self._labels[leaf] != NEGATIVE) | (random.random(size) < EMPTY_SHARE))
        pasted = empty | (self._cut[leaf] & (random.random(size) < strength.background))
        mixed = (random.random(size) < strength.mixed) & (tomato == tomato[::-1])
        share = np.where(mixed, random.beta(0.6, 0.6, size), 1)
        drawn = {
            "leaf": leaf,
            "warp": self._warps(leaf, field, pasted, strength),
            "pasted": pasted,
            "present": ~empty,
            **self._backgrounds(size),
            **self._light(size, strength),
            **self._flaws(size, strength.degrade),
            "share": share,
            "tomato": tomato,
        }
        labels = np.where(self._labels[leaf] == OTHER_PROBLEM, len(LABELS), np.maximum(self._labels[leaf], 0))
        targets = np.eye(CLASSES, dtype=np.float32)[labels]
        targets = targets * share[:, None] + targets[::-1] * (1 - share[:, None])
        return Batch(drawn, targets.astype(np.float32))

    def _warps(
        self, leaf: NDArray[np.intp], field: NDArray[np.bool_], pasted: NDArray[np.bool_], strength: Strength
    ) -> NDArray[np.floating]:
        """Crop, stretch, turn and flip, [N, 2, 3]; pasted leaves may also be farther away."""
        random, size = self._random, len(leaf)
        smallest = np.where(field, strength.smallest_field_crop, strength.smallest_crop)
        kept = random.uniform(smallest, np.where(pasted, FARTHEST, 1), size)
        angle = (
            np.deg2rad(random.uniform(-strength.turn, strength.turn, size)) + random.integers(4, size=size) * np.pi / 2
        )
        across = random.choice([-1.0, 1.0], size) * np.exp(random.uniform(-0.12, 0.12, size))
        aspect = self._aspect[leaf]
        squash = np.stack([np.minimum(1, 1 / aspect), np.minimum(1, aspect)])
        slack = np.abs(1 - kept * squash) * SIDE / 2
        centre = SIDE / 2 + random.uniform(-1, 1, (2, size)) * slack
        return _matrices(kept * SIDE, angle, across, centre, squash)

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
            "scene": scene.astype(np.intp),
            "scene_warp": _matrices(side, turned, random.choice([-1.0, 1.0], size), centre),
            "flat": black | (kinds == "flat"),
            "corners": np.where(black[:, None, None, None], 0, corners),
            "grain": np.where(black, 0, random.uniform(0, 12, size)),
            "shade": np.where(random.random(size) < 0.4, random.uniform(0.2, 0.6, size), 0),
            "shadow": random.uniform(-9, 9, (size, 2)),
        }

    def _light(self, size: int, strength: Strength) -> Drawn:
        random, amount = self._random, strength.colour
        return {
            "gain": np.exp(amount * (random.normal(0, 0.16, (size, 1)) + random.normal(0, 0.07, (size, 3)))),
            "saturation": np.exp(amount * random.normal(0, 0.25, size)),
            "contrast": np.exp(amount * random.normal(0, 0.18, size)),
        }

    def _flaws(self, size: int, probability: float) -> Drawn:
        random = self._random
        blur, noise, jpeg = random.random((3, size)) < probability
        return {
            "blur": np.where(blur, random.uniform(0.3, 1.6, size), 0),
            "noise": np.where(noise, random.uniform(1, 8, size), 0),
            "noise_at": random.random((size, 2)),
            "quality": np.where(jpeg, random.integers(30, 95, size), 0),
        }


class _Pool:
    """Images of the lab or the field, by class and source."""

    def __init__(self, data: Prepared, rows: NDArray[np.intp], balance: float, random: np.random.Generator) -> None:
        self.filled = bool((data.labels[rows] != NEGATIVE).any())
        self._random = random
        groups: dict[tuple[int, int], list[int]] = {}
        for row in rows:
            groups.setdefault((int(data.labels[row]), int(data.source[row])), []).append(int(row))
        self._members = list(groups.values())
        self._rounds: list[list[int]] = [[] for _ in self._members]
        labels = np.array([label for label, _ in groups])
        counts = np.array([len(members) for members in self._members], float)
        self._shares = {tomato: _shares(labels, counts, balance, tomato=tomato) for tomato in (False, True)}

    def draw(self, *, tomato: bool) -> int:
        """Position of an image that shows a tomato leaf, or of one that does not, if there is one."""
        shares = self._shares[tomato] if self._shares[tomato].any() else self._shares[True]
        group = int(self._random.choice(len(shares), p=shares))
        if not self._rounds[group]:
            self._rounds[group] = list(self._random.permutation(self._members[group]))
        return int(self._rounds[group].pop())


def _shares(
    labels: NDArray[np.int64], counts: NDArray[np.floating], balance: float, *, tomato: bool
) -> NDArray[np.floating]:
    """Probability of each group (label, source): of its class, times its share in the class."""
    wanted = (labels != NEGATIVE) == tomato
    shares = np.zeros(len(labels))
    for label in np.unique(labels[wanted]):
        group = labels == label
        within = counts[group] ** balance
        shares[group] = counts[group].sum() ** balance * within / within.sum()
    return shares / shares.sum() if shares.any() else shares


def _matrices(
    side: NDArray[np.floating],
    angle: NDArray[np.floating],
    across: NDArray[np.floating],
    centre: NDArray[np.floating],
    squash: NDArray[np.floating] | float = 1.0,
) -> NDArray[np.floating]:
    """Warps [N, 2, 3] that show squares of so many pixels, turned, `across` scaled, about their centres [2, N].

    `squash` [2, N] is the scale of the stored image's columns and rows: it may not be stored in its own shape.
    """
    cosine, sine = np.cos(angle) * side, np.sin(angle) * side
    turned = np.array([[cosine * across, -sine], [sine * across, cosine]])
    scaled = turned * np.expand_dims(squash, 1) if isinstance(squash, np.ndarray) else turned * squash
    return np.moveaxis(np.concatenate([scaled, centre[:, None]], axis=1), -1, 0)


def _scan(data: Prepared) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Which images have a cut-out [N], and their leafless corners as (image, x, y of the centre) [M, 3]."""
    cut = np.zeros(len(data), bool)
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
