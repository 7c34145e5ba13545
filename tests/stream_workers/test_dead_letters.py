from datetime import UTC, datetime

import pytest
from workers import photograph

from schemas.errors import EventError
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


def test_notes_stand_behind_the_records_own_headers() -> None:
    item = photograph(9)
    item.fail("unprocessable", "no JPEG: é")
    own = list(item.headers)
    assert dead_letter_headers(item, "topic-id") == [
        *own,
        ("dead_letter_error", "no JPEG: é".encode()),
        ("dead_letter_topic", b"leaf.images"),
        ("dead_letter_topic_id", b"topic-id"),
        ("dead_letter_partition", b"1"),
        ("dead_letter_offset", b"9"),
    ]


def test_a_dead_letter_that_was_copied_into_the_images_topic_tells_of_its_last_death() -> None:
    item = photograph(9)
    item.headers = dead_letter_headers(photograph(2), "another-topic-id")
    item.fail("failed", "again")
    twice = letter(headers=dead_letter_headers(item, "topic-id"))
    assert twice.source == Position(1, 9)
    assert twice.header("dead_letter_topic_id") == "topic-id"
    assert not any(name.startswith("dead_letter_") for name, _ in twice.original_headers())


def test_a_note_says_which_letter_and_repeats_why_and_whence() -> None:
    notes = dict(letter().note_headers())
    assert notes.pop("dead_letter_retried") == b"1:7"
    assert notes.keys() == {f"dead_letter_{name}" for name in ("error", "topic", "topic_id", "partition", "offset")}


def test_what_is_described() -> None:
    described = letter(value=b"12345").described()
    assert described["at"] == "2026-11-23T00:00:00+00:00"
    assert described["camera"] == "camera-1"
    assert described["bytes"] == 5
    assert letter(headers=dead_letter_headers(photograph(9), "topic-id")).described()["camera"] is None
    moment = datetime(2026, 11, 23, 1, 2, 3, 456_000, UTC)
    assert letter(at=moment).described()["at"] == "2026-11-23T01:02:03+00:00"


def test_an_attempt_takes_the_place_of_the_one_before() -> None:
    headers = [("ce_id", b"x"), ("ce_attempt", b"3")]
    assert letter(headers=headers).original_headers() == [("ce_id", b"x"), ("ce_attempt", b"4")]


def test_headers_that_are_no_text() -> None:
    assert letter(headers=[("ce_id", b"\xff")]).header("ce_id") == "\ufffd"
    assert letter(headers=[("ce_attempt", "²".encode())]).attempt == 0


def test_headers_of_other_producers_come_back_as_they_were() -> None:
    foreign = [("x", None), ("x", b"\xff\xfe"), ("", b"")]
    item = photograph(9)
    item.headers = [*foreign, *item.headers]
    item.fail("failed", "no memory")
    dead = letter(headers=dead_letter_headers(item, "topic-id"))
    assert dead.original_headers()[:3] == foreign
    assert (dead.header("x"), dead.described()["image_id"]) == ("\ufffd\ufffd", "image-0000000000000009")


def test_an_event_in_structured_mode_is_named_as_one_in_binary_mode() -> None:
    value = b'{"specversion":"1.0","id":"image-0000000000000001","type":"t","source":"/s","camera":"roof"}'
    dead = letter(headers=[("content-type", b"application/cloudevents+json"), *letter().headers[-5:]], value=value)
    assert (dead.described()["image_id"], dead.described()["camera"]) == ("image-0000000000000001", "roof")


@pytest.mark.parametrize("place", [b"", b"x", b"-1", b"99999999999999999999", "\u0663".encode(), None])
def test_what_names_no_position_was_not_written_by_a_worker(place) -> None:
    headers = [("dead_letter_partition", place), ("dead_letter_offset", b"1"), ("dead_letter_retried", place)]
    dead = letter(headers=headers)
    assert not dead.is_ours
    assert dead.retried is None
    with pytest.raises(EventError, match="was not written by a worker"):
        _ = dead.source
