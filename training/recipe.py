"""What is trained, and how learning rate and image size follow the progress."""

import math
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from schemas.errors import ModelError


class Recipe(BaseModel):
    """One network's training. Progress, 0 to 1, is active training time over the budget, so that a machine that is
    busy, pauses or is interrupted gets a shorter schedule and not a broken one.
    """  # noqa: D205

    model_config = ConfigDict(frozen=True)

    architecture: str
    init: str = "scratch"
    """`scratch`, `imagenet`, or the `NAME@VERSION` to continue from."""
    batch: int
    learning_rate: float
    """Peak, of AdamW."""
    weight_decay: float = 0.02
    warm_up: float = 0.03
    """Share of the budget in which the learning rate rises."""
    sizes: tuple[tuple[float, int], ...] = ((0.0, 64), (0.45, 96), (0.84, 112))
    """(from this progress on, side in pixels): small images first (EfficientNetV2, arXiv:2104.00298)."""
    gate_weight: float = 1.0
    balance: float = 0.5
    """Classes are drawn with probability ~ count to this power: 1 as they come, 0 all alike."""
    background: float = 1.0
    """Scale of the share of cut-out leaves that are put on another background."""
    colour: float = 1.0
    """Scale of the changes of colour and of the probability of blur, noise and JPEG artefacts."""
    average_decay: float = 0.998
    """Of the exponential moving average of the weights, per step."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    seed: int = 0

    frozen: float = 0.1
    """Share of the budget in which a backbone with ImageNet weights stands still while the head learns."""

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
    "efficientnetb0": Recipe(architecture="efficientnetb0", batch=32, learning_rate=1.5e-3),
    "resnet50": Recipe(architecture="resnet50", batch=64, learning_rate=1.2e-3, precision="mixed_bfloat16"),
}
