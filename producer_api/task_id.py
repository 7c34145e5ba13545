"""Task ids: 24 bytes, in URL-safe base64 32 characters, that open a result and can't be guessed or forged.

    kind (1) | seconds since 1970 (4) | random or derived (11) | MAC (8)

88 bits are random; 64 more must be right for a guess to count.
"""

import hashlib
import re
import secrets
import struct
import time
from dataclasses import dataclass
from typing import Final

from producer_api.errors import ExpiredTaskError
from producer_api.seal import Seal, unknown_id

RANDOM: Final = 1
DERIVED: Final = 2
MEMBER: Final = 3
BATCH: Final = 4
"""Of a batch's id, which has another length (`producer_api.batches.batch_id`)."""
_BODY: Final = struct.Struct(">BI11s")
_DERIVED_BYTES: Final = 11
_UUID7: Final = re.compile("([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
_END_OF_TIME: Final = 2**32


@dataclass(frozen=True)
class TaskId:
    """A genuine id. `seconds` is when it was made, Unix time; 0: it carries no time (see `TaskIds.derive`)."""

    text: str
    seconds: int


class TaskIds:
    """Makes and checks task ids.

    An id derived from an `Idempotency-Key` must come out the same for a phone's retry minutes or hours later, at any
    process, so it can't carry the time of the request. It carries the time inside the key where that is a UUIDv7
    (RFC 9562, written with its hyphens) of a time from which results are still kept, and none otherwise: no key is
    refused for what it happens to look like or for a wrong clock. Without a time an id never answers 410, only "queued"
    once its result has expired. The photograph's bytes are derived in too: a key used again for another photograph by
    mistake loses nothing.
    """

    def __init__(self, seal: Seal, retention_seconds: float) -> None:
        self.seal = seal
        self._retention = retention_seconds

    def new(self) -> str:
        """A random id, now."""
        return self.seal.sign(_BODY.pack(RANDOM, int(time.time()), secrets.token_bytes(_DERIVED_BYTES)))

    def derive(self, idempotency_key: str, uploader: str, photograph: bytes) -> str:
        """The id that belongs to this key, uploader and file."""
        parts = (idempotency_key.encode(), uploader.encode(), hashlib.sha256(photograph).digest())
        return self.seal.sign(
            _BODY.pack(DERIVED, self.seconds_of(idempotency_key), self.seal.derive(_DERIVED_BYTES, *parts))
        )

    def member(self, seconds: int, batch: bytes, tag: bytes) -> str:
        """The id of one photograph of a batch."""
        return self.seal.sign(_BODY.pack(MEMBER, seconds, self.seal.derive(_DERIVED_BYTES, batch, tag)))

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
        """The time in a UUIDv7, if results of then are kept; 0 in any other key."""
        found = _UUID7.fullmatch(idempotency_key)
        seconds = int(found[1] + found[2], 16) // 1000 if found else 0
        return seconds if time.time() - self._retention < seconds < _END_OF_TIME else 0
