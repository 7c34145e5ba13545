"""What a client sends with its photographs: headers and form fields, checked."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, Self

from fastapi import Request

from producer_api.errors import RequestError, SlowUploadError
from producer_api.uploads.multipart import parts, receive, too_large
from producer_api.uploads.part import Part
from producer_api.uploads.uploader import VISIBLE
from schemas.errors import ImageTooLargeError
from schemas.normalisation import MAX_UPLOAD_BYTES

FRAME_BYTES: Final = 64 * 1024
"""What the body of one upload may hold besides the photograph."""
MAX_BODY_BYTES: Final = MAX_UPLOAD_BYTES + FRAME_BYTES
MAX_FIELDS: Final = 64
_NAME: Final = re.compile(VISIBLE)
_FIELDS: Final = ("camera", "captured_at")


class Headers(NamedTuple):
    """Those that matter to an upload."""

    body_bytes: int
    """How much memory the body will need at most."""
    uploader: str | None
    idempotency_key: str | None
    traceparent: str | None

    @classmethod
    def of(cls, request: Request, limit: int = MAX_BODY_BYTES) -> Self:
        """Look at each header once. Raises RequestError, and ImageTooLargeError for a body above the limit, bytes."""
        told = {name: value.decode("latin-1") for name, value in request.scope["headers"]}
        uploader, key = told.get(b"x-uploader"), told.get(b"idempotency-key")
        if uploader is not None and not (len(uploader) <= 128 and _NAME.fullmatch(uploader)):
            msg = "X-Uploader must be 1 to 128 visible ASCII characters"
            raise RequestError(msg, "Send a random name, such as a UUID.")
        if key is not None and not (16 <= len(key) <= 128 and _NAME.fullmatch(key)):
            msg = "Idempotency-Key must be 16 to 128 visible ASCII characters"
            raise RequestError(msg, "Send a UUID, new for each photograph and the same for its retries.")
        if (coding := told.get(b"content-encoding", "identity").lower()) != "identity":
            msg = f"the body is compressed (Content-Encoding: {coding})"
            raise RequestError(msg, "Send it as it is: photographs are compressed already.")
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
        """Receive the body: a form, or the photograph itself under a Content-Type of image/*.

        Raises RequestError, SlowUploadError, ImageTooLargeError, TruncatedImageError.
        """
        try:
            async with asyncio.timeout(seconds):
                if request.headers.get("content-type", "").lower().startswith("image/"):
                    return cls(await _whole(request), None, None)
                return await cls._of(parts(request, MAX_BODY_BYTES))
        except TimeoutError:
            msg = f"the body was not complete after {seconds:g} s"
            raise SlowUploadError(msg, "Send it again, over a better connection or smaller.") from None

    @classmethod
    async def _of(cls, fields: AsyncIterator[Part]) -> Self:
        """One file and the fields that go with it, in any order."""
        photograph: bytes | None = None
        texts: dict[str, str] = {}
        others: list[str] = []
        count = 0
        async for part in fields:
            count += 1
            if count > MAX_FIELDS:
                msg = f"the form has more than {MAX_FIELDS} fields"
                raise RequestError(msg, "Send the photograph in the field `file`, and little else.")
            if part.name == "file" and not part.is_empty:
                if photograph is not None:
                    msg = "there is more than one file"
                    raise RequestError(msg, "Send each by itself, or all of them to /predict/batch.")
                photograph = await asyncio.to_thread(part.photograph) if part.encoding else part.photograph()
            elif part.name in _FIELDS and (text := part.text):
                if texts.setdefault(part.name, text) != text:
                    raise RequestError(f"there are two different fields {part.name!r}", "Send one.")
            elif part.name == "file" or part.is_file:
                others.append("an empty field `file`" if part.name == "file" else f"a file in the field {part.name!r}")
        if photograph is None:
            found = f", but {others[0]}" if others else ""
            msg = f"there is no file in a field named file{found}"
            raise RequestError(msg, "Send the photograph in the multipart field `file`.")
        return cls(photograph, texts.get("camera"), texts.get("captured_at"))


async def _whole(request: Request) -> bytes:
    """The body as it is."""
    chunks, more, size = [], True, 0
    while more:
        chunk, more = await receive(request)
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_UPLOAD_BYTES:
            raise too_large(MAX_UPLOAD_BYTES)
    return b"".join(chunks)
