"""From an upload to its image event."""

import re
import secrets
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from producer_api.errors import RequestError
from producer_api.moment import Moment
from producer_api.uploads.form import Form, Headers
from producer_api.uploads.uploader import hashed
from schemas.image import ImageEvent
from schemas.normalisation import Normalised

_TRACEPARENT: Final = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)


def image_event(task_id: str, image: Normalised, form: Form, headers: Headers) -> ImageEvent:
    """The event of one upload, in the trace of its request. Raises RequestError for a malformed field."""
    exif_with_zone = image.captured_at if image.captured_at and image.captured_at.tzinfo else None
    try:
        return ImageEvent.model_validate(
            {
                "id": task_id,
                "key": form.camera or task_id,  # frames of one camera keep their order
                "jpeg": image.jpeg,
                "accepted_at": datetime.now(UTC),
                "camera": form.camera,
                "unauthenticated": form.camera is not None,  # whoever uploads may give any name
                "captured_at": _MOMENT.validate_python(form.captured_at) if form.captured_at else exif_with_zone,
                "uploader": hashed(headers.uploader),
                "traceparent": _trace(headers.traceparent),
            }
        )
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"{first['loc'][0] if first['loc'] else 'captured_at'}: {first['msg']}"
        raise RequestError(msg, "Correct that field, or leave it out.") from error


def _trace(parent: str | None) -> str:
    """The client's W3C trace context, or a new one."""
    if parent and _TRACEPARENT.fullmatch(parent):
        return parent
    random = secrets.token_hex(24)
    return f"00-{random[:32]}-{random[32:]}-01"
