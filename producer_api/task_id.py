"""Task ids: 24 bytes, in URL-safe base64 32 characters, that open a result and can't be guessed or forged.

    kind (1) | seconds since 1970 (4) | random or derived (11) | MAC (8)

88 bits are random; 64 more must be right for a guess to count.
"""

import hashlib
import secrets
import struct
import time
import uuid
from dataclasses import dataclass
from typing import Final

from producer_api.errors import ExpiredTaskError, RequestError
from producer_api.seal import Seal, unknown_id

RANDOM: Final = 1
DERIVED: Final = 2
MEMBER: Final = 3
BATCH: Final = 4
"""Of a batch's id, which has another length (`producer_api.batches.batch_id`)."""
_BODY: Final = struct.Struct(">BI11s")
_DERIVED_BYTES: Final = 11
_MAX_AHEAD_S: Final = 24 * 3600
"""How far a client's clock may be ahead of ours in a UUIDv7."""


@dataclass(frozen=True)
class TaskId:
    """A genuine id. `seconds` is when it was made, Unix time; 0: it carries no time (see `TaskIds.derive`)."""

    text: str
    seconds: int


class TaskIds:
    """Makes and checks task ids.

    An id derived from an `Idempotency-Key` must come out the same for a phone's retry minutes or hours later, at any
    process, so it can't carry the time of the request. It carries the time inside the key where that is a UUIDv7
    (RFC 9562) and none otherwise: without a time it never answers 410, only "queued" once its result has expired. The
    photograph's bytes are derived in too: a key used again for another photograph by mistake loses nothing.
    """

    def __init__(self, seal: Seal, retention_seconds: float) -> None:
        self.seal = seal
        self._retention = retention_seconds

    def of(self, idempotency_key: str | None, uploader: str | None, photograph: bytes) -> str:
        """The id of one upload: derived where the client sent a key. Raises RequestError for a key that has expired."""
        return self.derive(idempotency_key, uploader or "", photograph) if idempotency_key else self.new()

    def new(self) -> str:
        """A random id, now."""
        return self.seal.sign(_BODY.pack(RANDOM, int(time.time()), secrets.token_bytes(_DERIVED_BYTES)))

    def derive(self, idempotency_key: str, uploader: str, photograph: bytes) -> str:
        """The id that belongs to this key, uploader and file. Raises RequestError for a key that has expired."""
        parts = (idempotency_key.encode(), uploader.encode(), hashlib.sha256(photograph).digest())
        return self.seal.sign(
            _BODY.pack(DERIVED, self.seconds_of(idempotency_key), self.seal.derive(_DERIVED_BYTES, *parts))
        )

    def member(self, seconds: int, batch: bytes, number: int) -> str:
        """The id of one photograph of a batch."""
        return self.seal.sign(_BODY.pack(MEMBER, seconds, self.seal.derive(_DERIVED_BYTES, batch, number.to_bytes(2))))

    def read(self, text: str) -> TaskId:
        """Check an id. Raises UnknownTaskError if we did not make it."""
        kind, seconds, _ = _BODY.unpack(self.seal.open(text, _BODY.size))
        if kind not in {RANDOM, DERIVED, MEMBER}:
            raise unknown_id()
        return TaskId(text, seconds)

    def refuse_expired(self, seconds: int) -> None:
        """Raise ExpiredTaskError for an id of a time so long ago that its result is kept no more; 0 never is."""
        if seconds and time.time() - seconds > self._retention:
            msg = f"results are kept for {self._retention / 86400:g} days"
            raise ExpiredTaskError(msg, "Upload the photograph again.")

    def seconds_of(self, idempotency_key: str) -> int:
        """The time in a UUIDv7; 0 in any other key. Raises RequestError where it is out of bounds."""
        try:
            key = uuid.UUID(idempotency_key)
        except ValueError:
            return 0
        if key.version != 7:
            return 0
        seconds = (key.int >> 80) // 1000
        if not -_MAX_AHEAD_S < time.time() - seconds < self._retention:
            msg = "the time in the Idempotency-Key (a UUIDv7) is in the future or longer ago than results are kept"
            raise RequestError(msg, "Make a new key for every photograph, and set the device's clock.")
        return seconds
