"""Task ids: 24 bytes, in URL-safe base64 32 characters, that open a result and can't be guessed or forged.

    kind (1) | seconds since 1970 (4) | random or derived (11) | MAC (8)

The MAC is keyed BLAKE2b over the first 16 bytes under a key that all API processes share, so any of them can tell a
genuine id of another from a forged one without asking a store. 88 bits are random; 64 more must be right for a guess
to count.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import struct
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from producer_api.errors import ExpiredTaskError, RequestError, UnknownTaskError

RANDOM: Final = 1
DERIVED: Final = 2
MEMBER: Final = 3
_BODY: Final = struct.Struct(">BI11s")
_MAC_BYTES: Final = 8
_MAX_AHEAD_S: Final = 24 * 3600
"""How far a client's clock may be ahead of ours in a UUIDv7."""


@dataclass(frozen=True)
class TaskId:
    """A genuine id. `seconds` is when it was made, Unix time; None: it carries no time (see `TaskIds.derive`)."""

    text: str
    kind: int
    seconds: int | None

    def age(self) -> float:
        """Seconds since it was made; 0 where it carries no time."""
        return 0 if self.seconds is None else time.time() - self.seconds


class TaskIds:
    """Makes and checks task ids.

    An id derived from an `Idempotency-Key` must come out the same for a phone's retry minutes or hours later, at any
    process, so it can't carry the time of the request. It carries the time inside the key where that is a UUIDv7
    (RFC 9562) and none otherwise: without a time it never answers 410, only "queued" once its result has expired. The
    photograph's bytes are derived in too: a key used again for another photograph by mistake loses nothing.
    """

    def __init__(self, key: bytes, retention_seconds: float) -> None:
        self._key = key
        self._retention = retention_seconds

    def of(self, idempotency_key: str | None, uploader: str | None, photograph: bytes) -> str:
        """The id of one upload: derived where the client sent a key. Raises RequestError for a key that has expired."""
        return self.derive(idempotency_key, uploader or "", photograph) if idempotency_key else self.new()

    def new(self) -> str:
        """A random id, now."""
        return self._sign(RANDOM, int(time.time()), secrets.token_bytes(11))

    def derive(self, idempotency_key: str, uploader: str, photograph: bytes) -> str:
        """The id that belongs to this key, uploader and file. Raises RequestError for a key that has expired."""
        seconds = self._seconds_of(idempotency_key)
        parts = (idempotency_key.encode(), uploader.encode(), hashlib.sha256(photograph).digest())
        message = b"".join(len(part).to_bytes(2) + part for part in parts)
        digest = hashlib.blake2b(message, key=self._key, digest_size=11, person=b"leaf derived").digest()
        return self._sign(DERIVED, seconds, digest)

    def read(self, text: str) -> TaskId:
        """Check an id. Raises UnknownTaskError if we did not make it."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            kind, seconds, _ = _BODY.unpack(raw[: _BODY.size])
        except (binascii.Error, UnicodeEncodeError, struct.error):
            raise _unknown() from None
        if not hmac.compare_digest(raw[_BODY.size :], self._mac(raw[: _BODY.size])):
            raise _unknown()
        return TaskId(text, kind, seconds or None)

    def refuse_expired(self, task: TaskId) -> None:
        """Raise ExpiredTaskError for an id older than results are kept."""
        if task.age() > self._retention:
            msg = f"results are kept for {self._retention / 86400:g} days"
            raise ExpiredTaskError(msg, "Upload the photograph again.")

    def _sign(self, kind: int, seconds: int, random: bytes) -> str:
        body = _BODY.pack(kind, seconds, random)
        return base64.urlsafe_b64encode(body + self._mac(body)).decode()

    def _mac(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=_MAC_BYTES, person=b"leaf task id").digest()

    def _seconds_of(self, idempotency_key: str) -> int:
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


def shared_key(path: Path) -> bytes:
    """The key in this file, made by whichever process comes first. Readable by its owner only."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123
        file.write(secrets.token_bytes(32))
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()


def _unknown() -> UnknownTaskError:
    return UnknownTaskError(
        "this service did not give out that id", "Check the address, or upload the photograph again."
    )
