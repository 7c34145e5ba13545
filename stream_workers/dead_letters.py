"""The record that keeps what could not be diagnosed: original key, headers and bytes, and why and whence it came."""

from typing import Final

from schemas.topics import FAILED, IMAGES, UNPROCESSABLE, Topic
from stream_workers.photograph import Photograph

PREFIX: Final = "dead_letter_"
TOPICS: Final[dict[str, Topic]] = {"unprocessable": UNPROCESSABLE, "failed": FAILED}


def dead_letter_headers(photograph: Photograph, topic_id: str) -> list[tuple[str, bytes]]:
    """The record's own headers and, with the prefix, error and source position. Needs `photograph.failure`."""
    notes = {
        "error": photograph.failure.error if photograph.failure else "",
        "topic": IMAGES.name,
        "topic_id": topic_id,
        "partition": str(photograph.position.partition),
        "offset": str(photograph.position.offset),
    }
    return [*photograph.headers, *((PREFIX + name, text.encode()) for name, text in notes.items())]
