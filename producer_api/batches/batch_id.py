"""The batch id: it opens its members, so that no store has to know of batches.

    kind (1) | seconds since 1970 (4) | members (2) | random or derived (12) | MAC (8)      27 bytes, 36 characters

Member ids are task ids derived from the random part and the member's number.
"""

import secrets
import struct
import time
from dataclasses import dataclass, replace
from typing import Final, Self

from producer_api.seal import unknown_id
from producer_api.task_id import BATCH, TaskIds

MAX_MEMBERS: Final = 500
_BODY: Final = struct.Struct(">BIH12s")
_RANDOM_BYTES: Final = 12


@dataclass(frozen=True)
class BatchId:
    """A batch of `count` photographs, begun at `seconds`, Unix time (0: of a key that tells no time)."""

    seconds: int
    count: int
    random: bytes

    @classmethod
    def new(cls, ids: TaskIds, idempotency_key: str | None, uploader: str | None) -> Self:
        """An empty batch; the same one for the same `Idempotency-Key` of the same uploader."""
        if idempotency_key is None:
            return cls(int(time.time()), 0, secrets.token_bytes(_RANDOM_BYTES))
        parts = (b"batch", idempotency_key.encode(), (uploader or "").encode())
        return cls(ids.seconds_of(idempotency_key), 0, ids.seal.derive(_RANDOM_BYTES, *parts))

    def of(self, count: int) -> Self:
        """The same with this many members."""
        return replace(self, count=count)

    def text(self, ids: TaskIds) -> str:
        """As clients see it."""
        return ids.seal.sign(_BODY.pack(BATCH, self.seconds, self.count, self.random))

    def member(self, ids: TaskIds, number: int) -> str:
        """Task id of one member, counted from 0."""
        return ids.member(self.seconds, self.random, number)

    @classmethod
    def read(cls, text: str, ids: TaskIds) -> Self:
        """Check an id. Raises UnknownTaskError if we did not make it."""
        kind, seconds, count, random = _BODY.unpack(ids.seal.open(text, _BODY.size))
        if kind != BATCH:
            raise unknown_id()
        return cls(seconds, count, random)
