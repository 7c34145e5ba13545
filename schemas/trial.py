"""The trial of an experiment: can the workers load the models that it names? Asked and answered in its topic."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.envelope import Envelope, Headers
from schemas.errors import EventError
from schemas.event import JsonEvent
from schemas.experiment import Experiment

ModelId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,40}@[a-z0-9.]{1,20}$")]
_KEY = "trial"
"""Of questions and answers: what compaction leaves of them is the last."""


class Trial(JsonEvent):
    """The question, in `leaf.experiments` before the definition; every live worker answers it."""

    type: ClassVar[str] = "leaf.experiment.trial"
    origin: ClassVar[str] = "/experiments"

    id: str = Field(min_length=1, max_length=64)
    models: tuple[ModelId, ...] = Field(min_length=1, max_length=12)
    asked_at: AwareDatetime

    def envelope(self) -> Envelope:
        """The record to produce."""
        return self._envelope(event_id=self.id, key=_KEY, time=self.asked_at)


class TrialAnswer(JsonEvent):
    """What one worker says to a trial."""

    type: ClassVar[str] = "leaf.experiment.tried"
    origin: ClassVar[str] = "/workers"

    trial: str
    worker: str
    refused: dict[ModelId, str]
    """Model to the reason why it can't be served; empty: all of them can."""
    answered_at: AwareDatetime

    def envelope(self) -> Envelope:
        """The record to produce."""
        return self._envelope(event_id=f"{self.trial}:{self.worker}", key=_KEY, time=self.answered_at)


def read_record(key: bytes | str | None, value: bytes | None, headers: Headers) -> Experiment | Trial | TrialAnswer:
    """Parse a record of `leaf.experiments`. Raises EventError where it is none of the three."""
    envelope = Envelope.read(key, value, headers)
    for kind in (Experiment, Trial, TrialAnswer):
        if envelope.type == kind.type:
            return kind.of(envelope)
    msg = f"no record of the experiments is of type {envelope.type}"
    raise EventError(msg)
