from datetime import UTC, datetime, timedelta, timezone

import pytest

from schemas.errors import EventError
from schemas.image import ImageEvent

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def image(**changes):
    fields = {"id": "0123456789abcdef", "jpeg": b"\xff\xd8", "accepted_at": NOW, "key": "0123456789abcdef"}
    return ImageEvent.model_validate(fields | changes)


@pytest.mark.parametrize(
    "event",
    [
        image(),
        image(
            source="/cameras/roof-1",
            camera="roof-1",
            key="roof-1",
            captured_at=datetime(2026, 7, 1, 8, tzinfo=timezone(timedelta(hours=2))),
            unauthenticated=True,
            uploader="u",
            frame="a/b.jpg#tile-0-1",
            attempt=2,
            traceparent="00-a-b-01",
        ),
    ],
)
def test_what_is_written_is_read_back(event):
    envelope = event.envelope()
    assert ImageEvent.read(envelope.key, envelope.value, envelope.headers()) == event


def test_absent_attributes_leave_no_headers():
    names = {name for name, _ in image().envelope().headers()}
    assert names == {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"}


@pytest.mark.parametrize(
    "headers",
    [
        {"ce_id": b"too-short"},
        {"ce_camera": b"no spaces"},
        {"ce_capturedat": b"yesterday"},
        {"ce_capturedat": b"2026-11-23T12:00:00"},
        {"ce_attempt": b"many"},
        {"ce_type": b"leaf.prediction.made"},
    ],
)
def test_malformed_attributes_are_refused(headers):
    envelope = image().envelope()
    with pytest.raises(EventError):
        ImageEvent.read(envelope.key, envelope.value, dict(envelope.headers()) | headers)
