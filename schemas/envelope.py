"""CloudEvents 1.0 in Kafka: attributes in `ce_*` headers and the data as value (binary mode), or all in the value.

What other producers put beside that into a record is theirs: headers of any name and bytes, null or twice, and any key.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.v1.event import CloudEvent
from pydantic_core import from_json, to_json

from schemas.errors import EventError

Headers = Iterable[tuple[str, bytes | None]] | Mapping[str, bytes | None] | None

_PREFIX: Final = "ce_"
_STRUCTURED: Final = "application/cloudevents"
_STRUCTURED_JSON: Final = "application/cloudevents+json"
_UNUSED: Final = {"subject", "dataschema", "data"}
_ATTRIBUTE: Final = re.compile(r"[a-z0-9]{1,20}")


def headers_of(message: Any) -> list[tuple[str, bytes | None]] | None:
    """A confluent-kafka message's headers; none where the name of one is no UTF-8, for then the client gives none."""
    try:
        found: list[tuple[str, bytes | None]] | None = message.headers()
    except UnicodeDecodeError:
        return None
    return found


def header(headers: Headers, name: str) -> str:
    """A header as text: the last of that name, empty where there is none; bytes that are no UTF-8 are replaced."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    found = [value for known, value in pairs if known == name and value is not None]
    return found[-1].decode(errors="replace") if found else ""


_BATCH_BYTES: Final = 100
"""Of a record batch (61) and its only record (at most 36), besides what it carries."""
_HEADER_BYTES: Final = 10
"""Two lengths of at most five bytes, for each header."""


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """One Kafka record as an event: attributes, key, value and the W3C trace context.

    `extensions` are CloudEvents extension attributes: names in lower case letters and digits, values as text.
    """

    id: str
    type: str
    source: str
    key: str
    value: bytes
    content_type: str
    time: datetime
    extensions: Mapping[str, str]
    traceparent: str | None = None

    def headers(self) -> list[tuple[str, bytes]]:
        """Record headers, in the form every Kafka client takes; written here, since the library takes 20 us for it."""
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", self.id.encode()),
            ("ce_type", self.type.encode()),
            ("ce_source", self.source.encode()),
            ("ce_time", self.time.isoformat().replace("+00:00", "Z").encode()),
            ("content-type", self.content_type.encode()),
        ]
        headers.extend((f"ce_{name}", text.encode()) for name, text in self.extensions.items())
        if self.traceparent:
            headers.append(("traceparent", self.traceparent.encode()))
        return headers

    @property
    def record_bytes(self) -> int:
        """Most bytes that the record takes in a Kafka batch of its own: what `max.message.bytes` is compared with."""
        texts = sum(len(name) + len(value) for name, value in self.headers())
        return _BATCH_BYTES + len(self.key.encode()) + len(self.value) + texts + _HEADER_BYTES * len(self.headers())

    @classmethod
    def read(cls, key: bytes | str | None, value: bytes | None, headers: Headers) -> Self:
        """Parse a record in either mode. Raises EventError where it is no CloudEvent."""
        found = _texts(headers)
        traceparent = found.pop("traceparent", None)
        data, content_type = value or b"", found.pop("content-type", None)
        structured = (content_type or "").lower().startswith(_STRUCTURED)
        attributes: dict[str, Any] = {name.removeprefix(_PREFIX): text for name, text in found.items()}
        try:
            if content_type and structured:
                inside, data = _structured(data, content_type)
                attributes |= inside  # what a dead letter's retry adds as a header stays
                content_type = inside.get("datacontenttype")
            known = _checked(attributes)
        except (BaseCloudEventException, ValueError, TypeError) as error:
            msg = f"not a CloudEvent in Kafka {'structured' if structured else 'binary'} mode: {error}"
            raise EventError(msg, "Produce records as asyncapi.yaml describes.") from error
        text_key = key.decode(errors="replace") if isinstance(key, bytes) else key
        ours = {"id", "type", "source", "specversion", "time", "datacontenttype"}
        return cls(
            id=known["id"],
            type=known["type"],
            source=known["source"],
            key=text_key or known["id"],
            value=data,
            content_type=content_type or "application/octet-stream",
            time=known["time"],
            extensions={name: str(text) for name, text in known.items() if name not in ours},
            traceparent=traceparent,
        )


def _texts(headers: Headers) -> dict[str, str]:
    """The headers that are the event's, names in lower case; of those that occur twice the last."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return {
        name: value.decode(errors="replace")
        for given, value in pairs
        if value is not None
        and ((name := given.lower()).startswith(_PREFIX) or name in {"content-type", "traceparent"})
    }


def _structured(value: bytes, content_type: str) -> tuple[dict[str, Any], bytes]:
    """Attributes and data of an event that stands in the value as a whole. Raises ValueError."""
    if content_type.partition(";")[0].strip().lower() != _STRUCTURED_JSON:
        msg = f"{content_type} is not read here, only {_STRUCTURED_JSON}"
        raise ValueError(msg)
    event = from_json(value)
    if not isinstance(event, dict):
        msg = "the value is not a JSON object"
        raise ValueError(msg)
    encoded, data = event.pop("data_base64", None), event.pop("data", None)
    if encoded is not None:
        return event, base64.b64decode(encoded, validate=True)
    if isinstance(data, str) and "json" not in event.get("datacontenttype", "json"):
        return event, data.encode()
    return event, b"" if data is None else to_json(data)


def _checked(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are used here, the time as such. Raises an exception of the library, ValueError or TypeError.

    Optional ones that are not used, and names that no CloudEvent may have, are others' business.
    """
    used = {
        name: value
        for name, value in attributes.items()
        if value is not None and name not in _UNUSED and _ATTRIBUTE.fullmatch(name)
    }
    if missing := [name for name in ("id", "type", "source") if not used.get(name)]:
        msg = f"it has no {', '.join(missing)}"
        raise ValueError(msg)
    if unreadable := [name for name in ("id", "type", "source") if "\ufffd" in str(used[name])]:
        msg = f"{', '.join(unreadable)} is not UTF-8"
        raise ValueError(msg)
    time = used.get("time")
    used["time"] = datetime.fromisoformat(str(time).upper()) if time else datetime.now(UTC)
    if used["time"].tzinfo is None:
        msg = f"the time {time} has no zone"
        raise ValueError(msg)
    return dict(CloudEvent(used).get_attributes())
