from datetime import UTC, datetime

from workers import photograph

from stream_workers.dead_letters import DeadLetter, dead_letter_headers
from stream_workers.photograph import Position


def letter(**changes) -> DeadLetter:
    item = photograph(9, camera="camera-1")
    item.fail("unprocessable", "no JPEG: é")
    fields = {
        "kind": "unprocessable",
        "position": Position(1, 7),
        "at": datetime(2026, 11, 23, tzinfo=UTC),
        "key": item.key,
        "value": item.value,
        "headers": dead_letter_headers(item, "topic-id"),
    }
    return DeadLetter(**(fields | changes))


def test_why_and_whence() -> None:
    described = letter().described()
    assert described["error"] == "no JPEG: é"
    assert described["source"] == "1:9"
    assert described["id"] == "unprocessable:1:7"
    assert described["image_id"] == "image-0000000000000009"
    assert described["attempt"] == 0


def test_the_original_comes_back_with_its_attempt_counted() -> None:
    original = photograph(9, camera="camera-1")
    assert letter().original_headers() == [*original.headers, ("ce_attempt", b"1")]


def test_attempts_that_are_no_number_count_as_none() -> None:
    assert letter(headers=[("ce_attempt", b"many")]).attempt == 0
