"""From a frame to what the topic will hold of it."""

import io
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from producer_api.ingestion.cut import Cut
from producer_api.ingestion.frame import Frame, image_id
from schemas.errors import ImageError
from schemas.image import CameraId
from schemas.normalisation import decode, encode, normalise

if TYPE_CHECKING:
    from imagehash import ImageHash

_CAMERA: Final[TypeAdapter[str]] = TypeAdapter(CameraId)
_WHOLE: Final = Cut()


@dataclass(frozen=True, slots=True)
class Piece:
    """One event to be: a frame, or a tile of one."""

    id: str
    name: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame, looked at."""

    camera: str | None
    captured_at: datetime | None
    """Aware."""
    pieces: list[Piece]
    hash: "ImageHash | None"


def prepare(frame: Frame, cut: Cut, zone: ZoneInfo, *, hashed: bool) -> Picture:
    """Load, verify, cut and normalise a frame. Raises ImageError or OSError.

    `hashed` adds the perceptual hash of the crop.
    """
    _check_camera(frame.camera)
    source = frame.load()
    digest = frame.digest
    if digest is None:
        digest = sha256(source if isinstance(source, bytes) else source.tobytes()).digest()
    if isinstance(source, bytes) and cut == _WHOLE:
        jpeg, _, _, captured_at = normalise(source)
        jpegs = {"": jpeg}
        perceived = _perceive(Image.open(io.BytesIO(jpeg))) if hashed else None
    else:
        image, captured_at = decode(source) if isinstance(source, bytes) else (source, None)
        image = cut.crop.of(image) if cut.crop else image
        jpegs = {name: encode(part).jpeg for name, part in cut.parts(image)}
        perceived = _perceive(image) if hashed else None
    moment = captured_at or frame.captured_at
    pieces = [
        Piece(image_id(frame.camera, moment or frame.name, part, digest), frame.name + part, jpeg)
        for part, jpeg in jpegs.items()
    ]
    if moment and moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return Picture(frame.camera, moment, pieces, perceived)


def _check_camera(camera: str | None) -> None:
    if camera == "":
        msg = "it stands in no sub-folder, so its camera is not known"
        raise ImageError(msg)
    try:
        if camera:
            _CAMERA.validate_python(camera)
    except ValidationError:
        msg = f"the folder name {camera!r} is no camera id: up to 64 letters, digits, '.', '_' and '-'"
        raise ImageError(msg) from None


def _perceive(image: Image.Image) -> "ImageHash":
    """pHash: which of the 64 lowest frequencies of the picture's cosine transform are above their median."""
    import imagehash  # noqa: PLC0415  brings SciPy, which only --skip-similar needs

    return imagehash.phash(image)
