"""The batch id: it opens its members, so that no store has to know of batches.

    kind (1) | seconds since 1970 (4) | random or derived (14) | a tag of each member (6) | MAC (8)      36 characters
                                                                                                          and 8 a member

A member's task id is derived from the random part and its tag, the tag from the random part and the photograph's bytes.
So a photograph under an Idempotency-Key is the same task wherever in a batch it stands, and no other photograph is.
"""

import hashlib
import secrets
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Self

from producer_api.seal import unknown_id
from producer_api.task_id import BATCH, TaskIds

MAX_MEMBERS: Final = 500
_HEAD: Final = struct.Struct(">BI14s")
_RANDOM_BYTES: Final = 14
_TAG_BYTES: Final = 6
"""In a full batch, two photographs in 2e9 batches share one."""


@dataclass(frozen=True)
class BatchId:
    """A batch of these members, begun at `seconds`, Unix time (0: of a key that tells no time)."""

    seconds: int
    random: bytes
    tags: tuple[bytes, ...] = ()

    @classmethod
    def new(cls, ids: TaskIds, idempotency_key: str | None, uploader: str | None) -> Self:
        """An empty batch; the same one for the same `Idempotency-Key` of the same uploader."""
        if idempotency_key is None:
            return cls(int(time.time()), secrets.token_bytes(_RANDOM_BYTES))
        parts = (b"batch", idempotency_key.encode(), (uploader or "").encode())
        return cls(ids.seconds_of(idempotency_key), ids.seal.derive(_RANDOM_BYTES, *parts))

    def of(self, tags: Iterable[bytes]) -> Self:
        """The same with these members."""
        return replace(self, tags=tuple(tags))

    def text(self, ids: TaskIds) -> str:
        """As clients see it."""
        return ids.seal.sign(_HEAD.pack(BATCH, self.seconds, self.random) + b"".join(self.tags))

    def tag(self, ids: TaskIds, photograph: bytes) -> bytes:
        """What stands for this photograph in this batch."""
        return ids.seal.derive(_TAG_BYTES, b"member", self.random, hashlib.sha256(photograph).digest())

    def member(self, ids: TaskIds, tag: bytes) -> str:
        """Task id of one member."""
        return ids.member(self.seconds, self.random, tag)

    @classmethod
    def read(cls, text: str, ids: TaskIds) -> Self:
        """Check an id. Raises UnknownTaskError if we did not make it."""
        body = ids.seal.open(text)
        if len(body) < _HEAD.size or (len(body) - _HEAD.size) % _TAG_BYTES:
            raise unknown_id()
        kind, seconds, random = _HEAD.unpack_from(body)
        if kind != BATCH:
            raise unknown_id()
        tags = (body[start : start + _TAG_BYTES] for start in range(_HEAD.size, len(body), _TAG_BYTES))
        return cls(seconds, random, tuple(tags))
