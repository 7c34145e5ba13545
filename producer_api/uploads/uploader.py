"""Who uploads: a random name the client keeps, of which only a hash goes further."""

import hashlib
from typing import Annotated

from pydantic import StringConstraints

VISIBLE = r"^[\x21-\x7e]+$"

Uploader = Annotated[str, StringConstraints(max_length=128, pattern=VISIBLE)] | None


def hashed(name: str | None) -> str | None:
    """The sticky key of the events: 32 hex digits of SHA-256. The name is random, so nobody can be guessed from it."""
    return name and hashlib.sha256(name.encode()).hexdigest()[:32]
