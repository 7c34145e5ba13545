"""The feed: a source, whose it is, and what of it is wanted; from the command line or from `cameras.toml`."""

import hashlib
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    field_validator,
    model_validator,
)

from producer_api.ingestion.address import STREAM_SCHEMES, check, is_address, shown, without_login
from producer_api.ingestion.cut import Crop, Cut, Tiles
from schemas.errors import ConfigurationError
from schemas.image import CameraId
from schemas.reasons import reasons


def _crop(value: Any) -> Any:
    return Crop.parse(value) if isinstance(value, str) else value


def _tiles(value: Any) -> Any:
    return Tiles.parse(value) if isinstance(value, str) else value


class Feed(BaseModel):
    """One source and its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(min_length=1, repr=False)
    """Folder, zip, video file, or address of a camera, in which `$NAME` is taken from the environment."""
    camera: CameraId | None = None
    camera_from_folder: bool = False
    """Each sub-folder is a camera."""
    unordered: bool = False
    """Spread over all partitions, keyed by image."""
    watch: bool = False
    fps: float | None = Field(None, gt=0, le=120)
    skip_similar: int | None = Field(None, ge=0, le=32)
    """Bits of 64 in which a perceptual hash may differ from the last kept frame's and still be a repetition."""
    limit: int | None = Field(None, ge=1)
    crop: Annotated[InstanceOf[Crop] | None, BeforeValidator(_crop)] = None
    tiles: Annotated[InstanceOf[Tiles] | None, BeforeValidator(_tiles)] = None

    @field_validator("source")
    @classmethod
    def _address(cls, source: str) -> str:
        if not is_address(source):
            return source
        address = os.path.expandvars(source.strip())
        check(address)
        return address

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.camera and self.camera_from_folder:
            msg = "a camera and camera-from-folder exclude each other"
            raise ValueError(msg)
        if not (self.camera or self.camera_from_folder or self.unordered):
            msg = "say whose pictures these are: a camera, camera-from-folder, or unordered"
            raise ValueError(msg)
        return self

    @classmethod
    def of(cls, **options: Any) -> Self:
        """From the command line's options. Raises ConfigurationError."""
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            raise _misconfigured("these options don't fit", error) from error

    @property
    def cut(self) -> Cut:
        """What becomes of each frame."""
        return Cut(self.crop, self.tiles)

    @property
    def is_stream(self) -> bool:
        """Whether the source is a camera's address."""
        return is_address(self.source) and urlsplit(self.source).scheme in STREAM_SCHEMES

    @property
    def hash(self) -> str:
        """Of where the source is, the same from any working directory and with any password."""
        place = without_login(self.source) if self.is_stream else str(Path(self.source).resolve())
        return hashlib.sha256(place.encode()).hexdigest()[:16]

    @property
    def title(self) -> str:
        """What a person reads, without an address's secrets."""
        place = shown(self.source)
        return f"{self.camera} ({place})" if self.camera else place


class _Cameras(BaseModel):
    model_config = ConfigDict(extra="forbid")

    feed: list[Feed] = Field(min_length=1)


def load(path: Path) -> list[Feed]:
    """Read `cameras.toml`: a `[[feed]]` each; `$NAME` in a source is taken from the environment.

    Raises ConfigurationError.
    """
    try:
        feeds = _Cameras.model_validate(tomllib.loads(path.read_text())).feed
    except FileNotFoundError as error:
        msg = f"{path} does not exist"
        raise ConfigurationError(msg, "Give the path of a cameras.toml.") from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} can't be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise ConfigurationError(msg, "Give the path of a cameras.toml.") from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not TOML: {error}"
        raise ConfigurationError(msg, "Correct that line.") from error
    except ValidationError as error:
        raise _misconfigured(f"{path} does not describe feeds", error) from error
    return [
        feed if is_address(feed.source) else feed.model_copy(update={"source": os.path.expandvars(feed.source)})
        for feed in feeds
    ]


def _misconfigured(what: str, error: ValidationError) -> ConfigurationError:
    return ConfigurationError(f"{what}: {'; '.join(reasons(error))}.", "leaf ingest --help shows each option.")
