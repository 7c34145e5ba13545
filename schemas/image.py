"""The image event: one accepted photograph on its way to a diagnosis."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from schemas.envelope import Envelope, Headers
from schemas.errors import EventError
from schemas.event import MAX_INT32

IMAGE_TYPE = "leaf.image.accepted"

CameraId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ImageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,80}$")]


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        msg = "the time is out of range"
        raise ValueError(msg) from None


class ImageEvent(BaseModel):
    """A normalised JPEG (`schemas.normalisation`) and what is known about it."""

    model_config = ConfigDict(frozen=True)

    id: ImageId
    """Task id of an upload, content-derived id of a camera frame."""
    jpeg: bytes
    accepted_at: AwareDatetime
    """The producer's clock; where the broker stamps LogAppendTime, that one counts."""
    source: str = "/uploads"
    """`/uploads` or `/cameras/<id>`."""
    camera: CameraId | None = None
    unauthenticated: bool = False
    """Whether the camera's name is only what a client said who did not authenticate."""
    captured_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None
    uploader: str | None = Field(None, max_length=64)
    """Hash of the name the page keeps; a sticky key, not a person."""
    frame: str | None = Field(None, max_length=512)
    """Where the picture was cut from: file name, frame or tile position."""
    attempt: int = Field(0, ge=0, le=MAX_INT32)
    """How often it was put back from a dead-letter topic."""
    key: str
    """Camera id where order per camera matters, else the image id."""
    traceparent: str | None = None

    def envelope(self) -> Envelope:
        """The record to produce."""
        optional = {
            "camera": self.camera,
            "unauthenticated": "true" if self.unauthenticated else None,
            "capturedat": self.captured_at.isoformat() if self.captured_at else None,
            "uploader": self.uploader,
            "frame": self.frame,
            "attempt": str(self.attempt) if self.attempt else None,
        }
        return Envelope(
            id=self.id,
            type=IMAGE_TYPE,
            source=self.source,
            key=self.key,
            value=self.jpeg,
            content_type="image/jpeg",
            time=self.accepted_at,
            extensions={name: text for name, text in optional.items() if text is not None},
            traceparent=self.traceparent,
        )

    @classmethod
    def read(cls, key: bytes | str | None, value: bytes | None, headers: Headers) -> Self:
        """Parse a record of the images topic. Raises EventError; the JPEG itself is not looked at."""
        envelope = Envelope.read(key, value, headers)
        if envelope.type != IMAGE_TYPE:
            msg = f"expected an event of type {IMAGE_TYPE}, got {envelope.type}"
            raise EventError(msg)
        extensions = envelope.extensions
        captured_at = extensions.get("capturedat")
        try:
            return cls(
                id=envelope.id,
                jpeg=envelope.value,
                accepted_at=envelope.time,
                source=envelope.source,
                camera=extensions.get("camera"),
                unauthenticated=extensions.get("unauthenticated") == "true",
                captured_at=datetime.fromisoformat(captured_at) if captured_at else None,
                uploader=extensions.get("uploader"),
                frame=extensions.get("frame"),
                attempt=int(extensions.get("attempt", "0")),
                key=envelope.key,
                traceparent=envelope.traceparent,
            )
        except (ValidationError, ValueError) as error:
            msg = f"image event {envelope.id!r} is malformed: {error}"
            raise EventError(msg) from error
