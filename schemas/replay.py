"""The replay run: which part of the images log is computed again, by which model, and how far that is."""

from typing import ClassVar, Self

from pydantic import AwareDatetime, BaseModel, Field, ValidationError, model_validator

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
    asked_from: str | None = None
    """The start as it was asked for; `start` is what that meant when the run was defined."""
    asked_to: str | None = None

    @model_validator(mode="after")
    def _same_partitions(self) -> Self:
        if self.start.keys() != self.end.keys():
            msg = "start and end must name the same partitions"
            raise ValueError(msg)
        return self

    @property
    def group(self) -> str:
        """Consumer group of its workers: its committed offsets say how far the run is."""
        return f"leaf-replay-{self.name}"

    @property
    def length(self) -> int:
        """Images between the bounds, of all cameras."""
        return sum(max(0, self.end[partition] - start) for partition, start in self.start.items())

    def envelope(self) -> Envelope:
        """The record to produce."""
        return self._envelope(event_id=self.name, key=self.name, time=self.defined_at)


class Tally(BaseModel):
    """What came of a partition up to a committed offset; stands in that commit's metadata, so that both are one."""

    answered: int = 0
    failed: int = 0

    def metadata(self) -> str:
        """As a commit's metadata. Ends with a NUL: confluent-kafka's admin client reads past the end of any other."""
        return self.model_dump_json() + "\0"

    @classmethod
    def read(cls, metadata: str | None) -> Self:
        """Parse a commit's metadata; without any, nothing came of it yet."""
        try:
            return cls.model_validate_json((metadata or "{}").rstrip("\0"))
        except ValidationError:
            return cls()
