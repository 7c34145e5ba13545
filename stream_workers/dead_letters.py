"""The record that keeps what could not be diagnosed: original key, headers and bytes, and why and whence it came."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from schemas.envelope import Envelope, header, headers_of
from schemas.errors import EventError
from schemas.result import from_ms
from schemas.topics import FAILED, IMAGES, UNPROCESSABLE, Topic
from stream_workers.photograph import Photograph, Position

Headers = list[tuple[str, bytes | None]]

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
    headers: Sequence[tuple[str, bytes | None]]

    @property
    def id(self) -> str:
        """Names it on the command line."""
        return f"{self.kind}:{self.position.partition}:{self.position.offset}"

    def header(self, name: str) -> str:
        """A header as text, empty where there is none."""
        return header(self.headers, name)

    @property
    def is_ours(self) -> bool:
        """Whether it names its source, as every letter does that a worker wrote."""
        return self._source is not None

    @property
    def source(self) -> Position:
        """In the images topic; only of those that are ours."""
        if self._source is None:
            msg = f"{self.id} was not written by a worker"
            raise EventError(msg)
        return self._source

    @property
    def _source(self) -> Position | None:
        return _position(f"{self.header(PREFIX + 'partition')}:{self.header(PREFIX + 'offset')}")

    @property
    def retried(self) -> Position | None:
        """The letter in the same topic that was put back, where this is a note of that."""
        return _position(self.header(RETRIED))

    @property
    def event(self) -> Envelope | None:
        """What was to be diagnosed, where it is an event at all."""
        try:
            return Envelope.read(self.key, self.value, self.headers)
        except EventError:
            return None

    @property
    def attempt(self) -> int:
        """How often it had been put back before."""
        text = self.header(ATTEMPT)
        return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0

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
        event = self.event
        return {
            "id": self.id,
            "image_id": event.id if event else self.header("ce_id"),
            "camera": (event.extensions.get("camera") if event else self.header("ce_camera")) or None,
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
            headers=headers_of(message) or (),
        )


def _position(text: str) -> Position | None:
    """From `partition:offset`."""
    found = re.fullmatch(r"([0-9]{1,9}):([0-9]{1,18})", text)
    return Position(int(found[1]), int(found[2])) if found else None
