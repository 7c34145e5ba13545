"""The record that keeps what could not be diagnosed: original key, headers and bytes, and why and whence it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from schemas.result import from_ms
from schemas.topics import FAILED, IMAGES, UNPROCESSABLE, Topic
from stream_workers.photograph import Photograph, Position

Headers = list[tuple[str, bytes]]

PREFIX: Final = "dead_letter_"
RETRIED: Final = "dead_letter_retried"
"""Header of a note that the dead letter at that `partition:offset` of the same topic was put back."""
ATTEMPT: Final = "ce_attempt"
TOPICS: Final[dict[str, Topic]] = {"unprocessable": UNPROCESSABLE, "failed": FAILED}


def dead_letter_headers(photograph: Photograph, topic_id: str) -> Headers:
    """The record's own headers and, with the prefix, error and source position. Needs `photograph.failure`."""
    notes = {
        "error": photograph.failure.error if photograph.failure else "",
        "topic": IMAGES.name,
        "topic_id": topic_id,
        "partition": str(photograph.position.partition),
        "offset": str(photograph.position.offset),
    }
    return [*photograph.headers, *((PREFIX + name, text.encode()) for name, text in notes.items())]


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A record of a dead-letter topic."""

    kind: str
    position: Position
    """In the dead-letter topic."""
    at: datetime
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]]

    @property
    def id(self) -> str:
        """Names it on the command line."""
        return f"{self.kind}:{self.position.partition}:{self.position.offset}"

    def header(self, name: str) -> str:
        """A header as text, empty where there is none."""
        return dict(self.headers).get(name, b"").decode(errors="replace")

    @property
    def is_ours(self) -> bool:
        """Whether it tells its source, as every letter does that a worker wrote."""
        return all(self.header(PREFIX + name).isdecimal() for name in ("partition", "offset"))

    @property
    def source(self) -> Position:
        """In the images topic."""
        return Position(int(self.header(PREFIX + "partition")), int(self.header(PREFIX + "offset")))

    @property
    def attempt(self) -> int:
        """How often it had been put back before."""
        text = self.header(ATTEMPT)
        return int(text) if text.isdecimal() else 0

    def original_headers(self) -> Headers:
        """The image event's headers, its attempt counted up."""
        kept = [(name, value) for name, value in self.headers if name != ATTEMPT and not name.startswith(PREFIX)]
        return [*kept, (ATTEMPT, str(self.attempt + 1).encode())]

    def note_headers(self) -> Headers:
        """Of the note that it was put back."""
        noted = [(name, value) for name, value in self.headers if name.startswith(PREFIX)]
        return [*noted, (RETRIED, f"{self.position.partition}:{self.position.offset}".encode())]

    def described(self) -> dict[str, Any]:
        """For people and machines."""
        return {
            "id": self.id,
            "image_id": self.header("ce_id"),
            "camera": self.header("ce_camera") or None,
            "error": self.header(PREFIX + "error"),
            "at": self.at.isoformat(timespec="seconds"),
            "attempt": self.attempt,
            "bytes": len(self.value),
            "source": f"{self.source.partition}:{self.source.offset}",
        }

    @classmethod
    def of(cls, kind: str, message: Any) -> Self:
        """From a confluent-kafka message."""
        return cls(
            kind=kind,
            position=Position(message.partition(), message.offset()),
            at=from_ms(max(0, message.timestamp()[1])),
            key=message.key(),
            value=message.value() or b"",
            headers=[(name, value or b"") for name, value in message.headers() or ()],
        )
