"""What every event whose value is JSON has in common."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.envelope import Envelope, Headers
from schemas.errors import EventError

MAX_INT32: Final = 2**31 - 1
"""Kafka's partitions, and the columns of an export."""
MAX_INT64: Final = 2**63 - 1
"""Kafka's offsets."""


class Part(BaseModel):
    """Something inside an event: immutable, and unknown fields are ignored, so that schemas may grow."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class JsonEvent(Part):
    """A record's value as JSON; subclasses name their CloudEvents type and where they come from."""

    type: ClassVar[str]
    origin: ClassVar[str]

    def _envelope(
        self,
        *,
        event_id: str,
        key: str,
        time: datetime,
        extensions: Mapping[str, str] | None = None,
        traceparent: str | None = None,
    ) -> Envelope:
        return Envelope(
            id=event_id,
            type=self.type,
            source=self.origin,
            key=key,
            value=self.model_dump_json(exclude_none=True).encode(),
            content_type="application/json",
            time=time,
            extensions=extensions or {},
            traceparent=traceparent,
        )

    @classmethod
    def read(cls, key: bytes | str | None, value: bytes | None, headers: Headers) -> Self:
        """Parse a record. Raises EventError where it does not follow the schema."""
        return cls.of(Envelope.read(key, value, headers))

    @classmethod
    def of(cls, envelope: Envelope) -> Self:
        """Parse what an envelope holds. Raises EventError where it does not follow the schema."""
        if envelope.type != cls.type:
            msg = f"expected an event of type {cls.type}, got {envelope.type}"
            raise EventError(msg)
        try:
            return cls.model_validate_json(envelope.value)
        except ValidationError as error:
            msg = f"{cls.type} {envelope.id!r} is malformed: {error}"
            raise EventError(msg) from error
