"""What a client sends with its photographs: headers and form fields, checked."""

import asyncio
import re
from typing import Final, NamedTuple, Self

from fastapi import Request

from producer_api.errors import RequestError, SlowUploadError
from producer_api.uploads.multipart import parts
from producer_api.uploads.uploader import VISIBLE
from schemas.errors import ImageTooLargeError
from schemas.normalisation import MAX_UPLOAD_BYTES

FRAME_BYTES: Final = 64 * 1024
"""What the body of one upload may hold besides the photograph."""
MAX_PARTS: Final = 100
"""Of the form of one upload."""
_NAME: Final = re.compile(VISIBLE)


class Headers(NamedTuple):
    """Those that matter to an upload."""

    body_bytes: int
    """How much memory the body will need at most."""
    uploader: str | None
    idempotency_key: str | None
    traceparent: str | None

    @classmethod
    def of(cls, request: Request, limit: int = MAX_UPLOAD_BYTES + FRAME_BYTES) -> Self:
        """Look at each header once. Raises RequestError, and ImageTooLargeError for a body above the limit, bytes."""
        told = {name: value.decode("latin-1") for name, value in request.scope["headers"]}
        uploader, key = told.get(b"x-uploader"), told.get(b"idempotency-key")
        if uploader is not None and not (len(uploader) <= 128 and _NAME.fullmatch(uploader)):
            msg = "X-Uploader must be 1 to 128 visible ASCII characters"
            raise RequestError(msg, "Send a random name, such as a UUID.")
        if key is not None and not (16 <= len(key) <= 128 and _NAME.fullmatch(key)):
            msg = "Idempotency-Key must be 16 to 128 visible ASCII characters"
            raise RequestError(msg, "Send a UUID, new for each photograph and the same for its retries.")
        length = told.get(b"content-length", "")
        size = int(length) if length.isdecimal() else limit
        if size > limit:
            msg = f"the body has {size / 2**20:.1f} MiB, {limit // 2**20} are accepted"
            raise ImageTooLargeError(msg, "Send less at once.")
        return cls(size, uploader, key, told.get(b"traceparent"))


class Form(NamedTuple):
    """The fields of one upload."""

    photograph: bytes
    camera: str | None
    captured_at: str | None

    @classmethod
    async def read(cls, request: Request, seconds: float) -> Self:
        """Receive the body. Raises RequestError, SlowUploadError, ImageTooLargeError, TruncatedImageError."""
        photograph, texts, count = None, {}, 0
        try:
            async with asyncio.timeout(seconds):
                async for part in parts(request):
                    count += 1
                    if count > MAX_PARTS:
                        msg = f"the form has more than {MAX_PARTS} fields"
                        raise RequestError(msg, "Send one image in the field `file`; many go to /predict/batch.")
                    if part.name == "file":
                        photograph = part.data
                    elif part.data:
                        texts[part.name] = part.text
        except TimeoutError:
            msg = f"the body was not complete after {seconds:g} s"
            raise SlowUploadError(msg, "Send it again, over a better connection or smaller.") from None
        if photograph is None:
            msg = "there is no field named file"
            raise RequestError(msg, "Send the photograph in the multipart field `file`.")
        return cls(photograph, texts.get("camera"), texts.get("captured_at"))
