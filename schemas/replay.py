"""The replay run: which part of the images log is computed again, and by which model."""

from typing import ClassVar, Self

from pydantic import AwareDatetime, Field, model_validator

from schemas.envelope import Envelope
from schemas.event import JsonEvent
from schemas.image import CameraId
from schemas.prediction import RunName


class Run(JsonEvent):
    """Value of `leaf.runs`; immutable: the first record of a name counts."""

    type: ClassVar[str] = "leaf.run.defined"
    origin: ClassVar[str] = "/replays"

    name: RunName
    topic_id: str
    """Id of the images topic the offsets belong to."""
    start: dict[int, int]
    """Partition to first offset."""
    end: dict[int, int]
    """Partition to the offset after the last, fixed when the run was defined."""
    cameras: tuple[CameraId, ...] = ()
    """Only these; empty: all."""
    model: str | None = Field(None, pattern=r"^[a-z0-9_]{1,40}@[a-z0-9.]{1,20}$")
    """`name@version`; None: as the experiments in force assigned."""
    defined_at: AwareDatetime

    @model_validator(mode="after")
    def _same_partitions(self) -> Self:
        if self.start.keys() != self.end.keys():
            msg = "start and end must name the same partitions"
            raise ValueError(msg)
        return self

    def envelope(self) -> Envelope:
        """The record to produce."""
        return self._envelope(event_id=self.name, key=self.name, time=self.defined_at)
