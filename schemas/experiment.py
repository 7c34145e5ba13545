"""The experiment: which models answer, for which share of the photographs, from when on."""

import math
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from schemas.envelope import Envelope
from schemas.event import MAX_INT32, JsonEvent, Part

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class Variant(Part):
    """A model version under a name of its own."""

    name: Name
    model: str
    version: str

    @property
    def model_id(self) -> str:
        """`model@version`."""
        return f"{self.model}@{self.version}"


class Arm(Variant):
    """One variant: a model version, and the share of photographs it answers."""

    weight: float = Field(ge=0, le=1)


class Shadow(Variant):
    """A model version that computes every photograph too; its answer is recorded, not shown."""


class Experiment(JsonEvent):
    """Value of `leaf.experiments`, one immutable record per `name@version`; the newest in force by time counts.

    A stopped version sends every photograph to its first arm (the control) outside of any experiment.
    """

    type: ClassVar[str] = "leaf.experiment.defined"
    origin: ClassVar[str] = "/experiments"

    name: Name
    version: int = Field(ge=1, le=MAX_INT32)
    status: Literal["running", "stopped"] = "running"
    salt: str = Field(min_length=1, max_length=64)
    sticky_key: Literal["image", "uploader", "camera"] = "image"
    """What always gets the same arm; the image id where the photograph has no such key."""
    arms: list[Arm] = Field(min_length=1, max_length=8)
    shadows: list[Shadow] = Field(default=[], max_length=4)
    effective_at: AwareDatetime
    """In force for images whose broker timestamp is not earlier."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [arm.name for arm in self.arms] + [shadow.name for shadow in self.shadows]
        if len(set(names)) != len(names):
            msg = "arms and shadows need different names"
            raise ValueError(msg)
        total = math.fsum(arm.weight for arm in self.arms)
        if not math.isclose(total, 1, abs_tol=1e-9):
            msg = f"weights must sum to 1, these sum to {total:g}"
            raise ValueError(msg)
        return self

    @property
    def id(self) -> str:
        """`name@version`, the record's key."""
        return f"{self.name}@{self.version}"

    def envelope(self) -> Envelope:
        """The record to produce."""
        return self._envelope(event_id=self.id, key=self.id, time=self.effective_at)
