"""What is trained, and how learning rate and image size follow the progress."""

import itertools
import math
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from schemas.errors import ModelError


class Recipe(BaseModel):
    """One network's training. Progress, 0 to 1, is the number of steps done over that of the recipe."""

    model_config = ConfigDict(frozen=True)

    architecture: str
    init: str = "scratch"
    """`scratch`, `lite0`, `imagenet`, or the `NAME@VERSION` to continue from."""
    steps: int
    batch: int = 32
    learning_rate: float
    """Peak, of AdamW."""
    weight_decay: float = 0.03
    warm_up: float = 0.03
    """Share of the steps in which the learning rate rises."""
    sizes: tuple[tuple[float, int], ...] = ((0.0, 128), (0.4, 160))
    """(from this progress on, side in pixels): small images first (EfficientNetV2, arXiv:2104.00298)."""
    frozen: float = 0.0
    """Share of the steps in which only the head learns: fine-tuning all at once distorts pretrained features
    (Kumar et al. 2022, arXiv:2202.10054)."""
    teachers: tuple[str, ...] = ()
    """`NAME@VERSION` each, of trained models whose answers are learnt beside the labels."""
    distilled: float = 0.5
    """Weight of the teachers' answers, of the labels the rest, where there are teachers."""
    gate_weight: float = 1.0
    field: float = 0.5
    """Share of field photographs in a batch, where there are any; the rest are lab images."""
    without: tuple[str, ...] = ()
    """Sources that are not trained on, to see what a network makes of a source that it does not know."""
    boxes: bool = True
    """Whether crops of single leaves are trained on beside whole photographs."""
    wild_scenes: bool = True
    """Whether cut-out leaves are also put on field photographs of other plants, rather than everyday scenes only."""
    balance: float = 0.5
    """Classes are drawn with probability ~ count to this power: 1 as they come, 0 all alike."""
    background: float = 1.0
    """Scale of the share of cut-out leaves that are put on another background."""
    colour: float = 1.0
    """Scale of the changes of colour and of the probability of blur, noise and JPEG artefacts."""
    mixed: float = 1.0
    """Scale of the share of images that are mixed with another."""
    average_decay: float = 0.998
    """Of the exponential moving average of the weights, per step."""
    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"
    seed: int = 0

    @classmethod
    def of(cls, run: Path) -> Self:
        """The recipe a run was trained by. Raises ModelError where there is no run."""
        path = run / "recipe.json"
        if not path.exists():
            msg = f"{path} does not exist"
            raise ModelError(msg, "Train first: python -m training train ARCHITECTURE")
        return cls.model_validate_json(path.read_bytes())

    def save(self, run: Path) -> None:
        """Leave the recipe beside the run's checkpoint."""
        (run / "recipe.json").write_text(self.model_dump_json(indent=1))

    def make_way(self, run: Path) -> None:
        """Keep a run of another recipe as `NAME-1`, `NAME-2` and so on, so that this one begins anew."""
        if (run / "recipe.json").exists() and self.of(run) != self:
            names = (run.with_name(f"{run.name}-{number}") for number in itertools.count(1))
            run.rename(next(name for name in names if not name.exists()))

    def px(self, progress: float) -> int:
        """Side of the training images."""
        return next(px for start, px in reversed(self.sizes) if progress >= start)

    def rate(self, progress: float) -> float:
        """Linear warm-up, then a cosine to almost nothing (arXiv:1608.03983)."""
        if progress < self.warm_up:
            return self.learning_rate * (0.02 + progress / self.warm_up)
        passed = min(1.0, (progress - self.warm_up) / (1 - self.warm_up))
        return self.learning_rate * (0.005 + 0.995 * (1 + math.cos(math.pi * passed)) / 2)


RECIPES = {
    "efficientnetb0": Recipe(
        architecture="efficientnetb0", init="lite0", steps=3600, learning_rate=6e-4, frozen=0.05, weight_decay=0.03
    ),
    "resnet50": Recipe(
        architecture="resnet50", init="resnet50@5", steps=3600, learning_rate=8e-4, sizes=((0.0, 128),), distilled=0.6
    ),
}
