"""The one error hierarchy."""

from collections.abc import Mapping
from typing import Any, ClassVar


class LeafError(Exception):
    """A failure a person can act on: `str(error)` says what is wrong, `remedy` what to do about it.

    `status` is the HTTP status the API answers with, `kind` the last part of the problem type's URI (RFC 9457).
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on our side"
    members: Mapping[str, Any] = {}
    """More that the problem document says (RFC 9457, extension members)."""

    def __init__(self, detail: str, remedy: str = "") -> None:
        super().__init__(detail)
        self.remedy = remedy

    @property
    def advice(self) -> str:
        """What is wrong and what to do, as sentences."""
        wrong = str(self)
        end = "" if wrong.endswith((".", "\n")) else "."
        return f"{wrong}{end} {self.remedy}".rstrip()


class ImageError(LeafError):
    """The bytes are not a photograph that can be diagnosed."""

    status = 422
    kind = "image"
    title = "The photograph can't be used"


class NotAnImageError(ImageError):
    """The bytes are in no format that is accepted."""

    status = 415
    kind = "not-an-image"
    title = "Not an accepted image"


class TruncatedImageError(ImageError):
    """The file ends before the picture does."""

    kind = "truncated-image"
    title = "The image is incomplete or damaged"


class ImageTooLargeError(ImageError):
    """More bytes or pixels than are accepted; also what a decompression bomb gets."""

    status = 413
    kind = "image-too-large"
    title = "The image is too large"


class EventError(LeafError):
    """A Kafka record does not follow the contract."""

    status = 500
    kind = "event"
    title = "A record does not follow the contract"


class EventTooLargeError(LeafError):
    """The event is larger than its topic takes (`max.message.bytes`); it was not stored."""

    status = 413
    kind = "event-too-large"
    title = "Larger than the topic takes"

    def __init__(self, topic: str, size: int, limit: int | None = None) -> None:
        """Sizes in bytes; None: the broker refused it and does not say what it takes."""
        takes = f"{topic} takes {limit}" if limit else f"{topic} does not take that"
        super().__init__(
            f"the event has up to {size} bytes, and {takes} (max.message.bytes)",
            "Send less; or let the operator run `leaf doctor`, which says what the topics should take.",
        )


class ModelError(LeafError):
    """A model's files, card or checksums do not fit together."""

    status = 422
    kind = "model"
    title = "The model can't be used"


class ConfigurationError(LeafError):
    """A setting, port, topic or program that is needed is wrong or missing."""

    kind = "configuration"
    title = "The set-up is not right"


class BrokerUnavailableError(LeafError):
    """Kafka did not confirm in time."""

    status = 503
    kind = "broker-unavailable"
    title = "Not confirmed by the broker"


class StoreUnavailableError(LeafError):
    """Redis does not answer."""

    status = 503
    kind = "store-unavailable"
    title = "Results can't be read just now"
