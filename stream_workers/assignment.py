"""Promise 4: which model answers a photograph is a pure function of the definition and the photograph."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.experiment import Arm, Experiment, Shadow
from schemas.image import ImageEvent
from schemas.prediction import UnservedArm


@dataclass(frozen=True)
class Variant:
    """A model version under the name its answers carry. `version=None`: the newest there is."""

    arm: str
    model: str
    version: str | None


@dataclass(frozen=True)
class Assignment:
    """Who answers, who computes along unseen, and by which definition (none: outside of any experiment)."""

    answering: Variant
    shadows: tuple[Variant, ...] = ()
    experiment: str | None = None
    experiment_version: int | None = None
    unserved: UnservedArm | None = None
    """The experiment's arm that should have answered, where its version can't be served."""

    @property
    def variants(self) -> tuple[Variant, ...]:
        """All that compute."""
        return (self.answering, *self.shadows)

    def outside(self, model: str, version: str) -> "Assignment":
        """The same image answered by another model version: under that model's name, outside of any experiment."""
        unserved = self.unserved
        if self.experiment is not None and self.experiment_version is not None:
            unserved = UnservedArm(
                experiment=self.experiment,
                experiment_version=self.experiment_version,
                arm=self.answering.arm,
                model=self.answering.model,
                version=self.answering.version or "",
            )
        return Assignment(Variant(model, model, version), unserved=unserved)


def assign(experiment: Experiment, image: ImageEvent) -> Assignment:
    """Assign a photograph by the definition in force at its broker timestamp.

    1. A stopped definition sends every photograph to its first arm, outside of any experiment.
    2. Else the sticky key (the image id where the photograph lacks one) chooses the arm: see `draw`.

    Nothing but the arguments enters: redelivery and replay, on any worker, come to the same arm.
    """
    if experiment.status == "stopped":
        return Assignment(_variant(experiment.arms[0]))
    sticky = {"image": image.id, "uploader": image.uploader, "camera": image.camera}[experiment.sticky_key] or image.id
    return Assignment(
        answering=_variant(draw(experiment.arms, experiment.salt, sticky)),
        shadows=tuple(_variant(shadow) for shadow in experiment.shadows),
        experiment=experiment.name,
        experiment_version=experiment.version,
    )


def draw(arms: Sequence[Arm], salt: str, sticky: str) -> Arm:
    """The arm with the highest score `-weight / ln(u)`, u in (0, 1) hashed from salt, arm name and sticky key.

    Weighted rendezvous hashing (Schindelhauer and Schomaker 2005): shares equal the weights, and when one arm's weight
    changes relative to the others, photographs move only to or from that arm. The definition's version is not hashed.
    """
    return max(arms, key=lambda arm: -arm.weight / math.log(_uniform(f"{salt}\0{arm.name}\0{sticky}")))


def _uniform(text: str) -> float:
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
    return ((number >> 11) + 0.5) / 2**53


def _variant(arm: Arm | Shadow) -> Variant:
    return Variant(arm.name, arm.model, arm.version)
