"""What makes an id of ours genuine: a MAC under a key that all API processes share."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from producer_api.errors import UnknownTaskError

MAC_BYTES: Final = 8


class Seal:
    """Signs ids and tells forged ones, without asking a store. The MAC is keyed BLAKE2b (RFC 7693)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, body: bytes) -> str:
        """The id of this body: with its MAC, in URL-safe base64. Body and MAC must be a multiple of 3 bytes long."""
        return base64.urlsafe_b64encode(body + self._mac(body)).decode()

    def open(self, text: str, size: int | None = None) -> bytes:
        """The body of a genuine id, of this size if one is given. Raises UnknownTaskError for any other."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, UnicodeEncodeError):
            raise unknown_id() from None
        body = raw[:-MAC_BYTES]
        if base64.urlsafe_b64encode(raw).decode() != text:  # the decoder also takes + for - and / for _
            raise unknown_id()
        if size not in {None, len(body)} or not hmac.compare_digest(raw[-MAC_BYTES:], self._mac(body)):
            raise unknown_id()
        return body

    def derive(self, size: int, *parts: bytes) -> bytes:
        """Bytes that follow from these parts, and that nobody without the key can tell."""
        message = b"".join(len(part).to_bytes(2) + part for part in parts)
        return hashlib.blake2b(message, key=self._key, digest_size=size, person=b"leaf derived").digest()

    def _mac(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=MAC_BYTES, person=b"leaf id").digest()


def unknown_id() -> UnknownTaskError:
    """For an id that was never given out."""
    remedy = "Check the address, or upload the photograph again."
    return UnknownTaskError("this service did not give out that id", remedy)


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
