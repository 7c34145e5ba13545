"""Feedback: the true label of a photograph, told by a person."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from schemas.envelope import Envelope
from schemas.event import JsonEvent
from schemas.image import ImageId
from schemas.prediction import Label


class Feedback(JsonEvent):
    """Value of `leaf.feedback`; a later record of the same image replaces the earlier."""

    type: ClassVar[str] = "leaf.feedback.given"
    origin: ClassVar[str] = "/feedback"

    image_id: ImageId
    label: Label
    note: str | None = Field(None, max_length=500)
    by: str | None = Field(None, max_length=64)
    """Hash of the uploader's name."""
    given_at: AwareDatetime

    def envelope(self) -> Envelope:
        """The record to produce."""
        return self._envelope(
            event_id=f"{self.image_id}:{self.given_at.timestamp():.6f}", key=self.image_id, time=self.given_at
        )
