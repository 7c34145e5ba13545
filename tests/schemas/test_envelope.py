import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope, header, headers_of
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
        [("ce_type", b"t"), ("ce_source", b"s"), ("ce_specversion", b"1.0")],
        [("ce_id", None), ("ce_type", b"t"), ("ce_source", b"s"), ("ce_specversion", b"1.0")],
        [
            ("ce_id", b"x"),
            ("ce_type", b"t"),
            ("ce_source", b"s"),
            ("ce_specversion", b"1.0"),
            ("ce_time", b"2026-11-23T12:00:00"),
        ],
        [("ce_id", b"x"), ("ce_type", b"t"), ("ce_source", b"s"), ("ce_specversion", b"1.0"), ("ce_time", b"noon")],
    ],
)
def test_a_record_that_is_no_cloud_event_is_refused(headers):
    with pytest.raises(EventError, match="CloudEvent"):
        Envelope.read(b"k", b"v", headers)


def test_a_missing_value_reads_as_empty():
    assert Envelope.read(b"k", None, envelope().headers()).value == b""


FOREIGN = [
    ("kafka_dlt-original-offset", (200).to_bytes(8, "big")),
    ("x-trace", None),
    ("__TypeId__", b"com.example.Leaf"),
    ("", b""),
    ("ce_", b"\xff"),
    ("ce_Partition-Key", b"\xff"),
    ("ce_subject", b""),
    ("ce_other", b"\xfe"),
    ("ce_null", None),
    ("traceparent", b"\xff"),
    ("ce_" + "x" * 100, b"long"),
]


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("before", [True, False])
def test_headers_of_others_are_theirs(foreign, before):
    sent = envelope()
    headers = [foreign, *sent.headers()] if before else [*sent.headers(), foreign]
    read = Envelope.read(b"camera-1", sent.value, headers)
    assert {**vars(read), "extensions": read.extensions["camera"], "traceparent": None} == {
        **vars(sent),
        "extensions": "camera-1",
    }


@given(
    foreign=st.lists(
        st.tuples(st.text(max_size=9).filter(lambda name: not name.lower().startswith("ce_")), st.none() | st.binary()),
        max_size=9,
    )
)
def test_no_header_of_others_changes_an_event(foreign):
    sent = envelope()
    read = Envelope.read(b"camera-1", sent.value, [*foreign, *sent.headers()])
    assert read == sent or "traceparent" in {name.lower() for name, _ in foreign}


def test_of_headers_that_occur_twice_the_last_counts_unless_it_is_null():
    twice = [("ce_camera", b"first"), *envelope().headers(), ("ce_camera", b"last"), ("ce_camera", None)]
    assert Envelope.read(b"k", b"v", twice).extensions["camera"] == "last"
    assert header(twice, "ce_camera") == "last"
    assert header([("x", b"\xff")], "x") == "\ufffd"
    assert (header(None, "x"), header([("x", None)], "x"), header({"x": b"y"}, "x")) == ("", "", "y")


def test_a_header_whose_name_is_no_text_costs_its_record_the_headers_and_the_reader_nothing():
    class Message:
        def headers(self):
            return b"\xff".decode()

    assert headers_of(Message()) is None
    with pytest.raises(EventError, match="it has no id, type, source"):
        Envelope.read(b"k", b"v", headers_of(Message()))


@pytest.mark.parametrize(
    ("key", "read"), [(None, "a" * 20), (b"", "a" * 20), (b"\xff\x00", "\ufffd\0"), (b"k" * 10**6, "k" * 10**6)]
)
def test_any_key_is_a_key(key, read):
    assert Envelope.read(key, b"v", envelope().headers()).key == read


def structured(**changes):
    event = {
        "specversion": "1.0",
        "id": "a" * 20,
        "type": "leaf.test",
        "source": "/tests",
        "camera": "roof",
        "time": "2026-11-23T12:30:01.25Z",
    }
    return json.dumps(event | changes).encode()


JSON_MODE = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


@pytest.mark.parametrize(
    ("changes", "value", "content_type"),
    [
        ({"data_base64": "/9gA", "datacontenttype": "image/jpeg"}, b"\xff\xd8\0", "image/jpeg"),
        ({"data": {"a": [1, None]}}, b'{"a":[1,null]}', "application/octet-stream"),
        ({"data": "text", "datacontenttype": "text/plain"}, b"text", "text/plain"),
        ({"data": "text"}, b'"text"', "application/octet-stream"),
        ({}, b"", "application/octet-stream"),
    ],
)
def test_structured_mode_reads_as_binary_mode_does(changes, value, content_type):
    read = Envelope.read(b"k", structured(**changes), JSON_MODE)
    assert (read.value, read.content_type) == (value, content_type)
    assert (read.id, read.type, read.source, read.time, read.extensions) == (
        "a" * 20, "leaf.test", "/tests", TIME, {"camera": "roof"},
    )  # fmt: skip


def test_in_structured_mode_headers_add_what_the_value_lacks():
    """As the attempt of a dead letter that is put back."""
    read = Envelope.read(b"k", structured(), [*JSON_MODE, ("ce_attempt", b"2"), ("ce_camera", b"other")])
    assert read.extensions == {"camera": "roof", "attempt": "2"}


@pytest.mark.parametrize(
    ("value", "content_type", "reason"),
    [
        (b"\xff\xd8", b"application/cloudevents+json", "structured mode"),
        (b"[]", b"application/cloudevents+json", "not a JSON object"),
        (b"[" * 10**5, b"application/cloudevents+json", "structured mode"),
        (None, b"application/cloudevents+json", "structured mode"),
        (structured(id=None), b"application/cloudevents+json", "it has no id"),
        (structured(id=7), b"application/cloudevents+json", "'id'"),
        (structured(time=7), b"application/cloudevents+json", "structured mode"),
        (structured(data_base64="!"), b"application/cloudevents+json", "structured mode"),
        (structured(data_base64=7), b"application/cloudevents+json", "structured mode"),
        (b"[" + structured() + b"]", b"application/cloudevents-batch+json", "cloudevents-batch"),
        (structured(), b"application/cloudevents+avro", r"cloudevents\+avro is not read here"),
    ],
)
def test_what_is_wrong_with_a_structured_event_is_said(value, content_type, reason):
    with pytest.raises(EventError, match=reason):
        Envelope.read(b"k", value, [("content-type", content_type)])


@given(
    value=st.binary(max_size=99)
    | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(
        lambda each: json.dumps(each).encode()
    )
)
def test_no_value_breaks_the_reader(value):
    with suppress(EventError):
        Envelope.read(b"k", value, JSON_MODE)
