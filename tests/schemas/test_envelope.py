from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope
from schemas.errors import EventError

TIME = datetime(2026, 11, 23, 12, 30, 1, 250_000, tzinfo=UTC)


def envelope(**changes):
    fields = {
        "id": "a" * 20,
        "type": "leaf.test",
        "source": "/tests",
        "key": "camera-1",
        "value": b"\xff\xd8binary",
        "content_type": "image/jpeg",
        "time": TIME,
        "extensions": {"camera": "camera-1"},
    }
    return Envelope(**(fields | changes))


def test_attributes_become_ce_headers_and_the_value_stays_as_it_is():
    headers = dict(envelope(traceparent="00-1-2-01").headers())
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": b"a" * 20,
        "ce_type": b"leaf.test",
        "ce_source": b"/tests",
        "ce_time": b"2026-11-23T12:30:01.250000Z",
        "ce_camera": b"camera-1",
        "content-type": b"image/jpeg",
        "traceparent": b"00-1-2-01",
    }


@given(value=st.binary(max_size=64), camera=st.text("abc-._123", min_size=1), key=st.text(min_size=1, max_size=9))
def test_what_is_written_is_read_back(value, camera, key):
    sent = envelope(value=value, extensions={"camera": camera}, key=key, traceparent="00-a-b-01")
    assert Envelope.read(key.encode(), value, sent.headers()) == sent
    assert Envelope.read(key, value, dict(sent.headers())) == sent


def test_the_id_is_the_key_where_there_is_none():
    sent = envelope()
    assert Envelope.read(None, sent.value, sent.headers()).key == sent.id


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("ce_id", b"x")],
        [("ce_id", b"\xff"), ("ce_type", b"t"), ("ce_source", b"s"), ("ce_specversion", b"1.0")],
        [("ce_id", b"x"), ("ce_type", b"t"), ("ce_source", b"s"), ("ce_specversion", b"9.9")],
        [("ce_id", b"x"), ("ce_type", b"t"), ("ce_source", b"s"), ("ce_specversion", b"1.0"), ("ce_time", b"noon")],
    ],
)
def test_a_record_that_is_no_cloud_event_is_refused(headers):
    with pytest.raises(EventError, match="CloudEvent"):
        Envelope.read(b"k", b"v", headers)


def test_a_missing_value_reads_as_empty():
    assert Envelope.read(b"k", None, envelope().headers()).value == b""
