"""Frames of a zip."""

import zipfile
import zlib
from collections.abc import Iterator
from lzma import LZMAError
from pathlib import PurePosixPath

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.folder import camera_of, is_picture, too_large
from producer_api.ingestion.frame import Frame, capture_time
from schemas.errors import ConfigurationError, TruncatedImageError
from schemas.normalisation import MAX_UPLOAD_BYTES


def open_archive(source: str) -> zipfile.ZipFile:
    """Raises ConfigurationError where it is no zip."""
    try:
        return zipfile.ZipFile(source)
    except zipfile.BadZipFile as error:
        msg = f"{source} is no readable zip: {error}"
        raise ConfigurationError(msg, "Make the archive again.") from error


def entries(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """All pictures, in order of path."""
    found = (info for info in archive.infolist() if not info.is_dir() and is_picture(PurePosixPath(info.filename)))
    return sorted(found, key=lambda info: PurePosixPath(info.filename))


def archived(feed: Feed, archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo]) -> Iterator[Frame]:
    """The frames of these entries."""
    for info in infos:
        path = PurePosixPath(info.filename)
        yield Frame(
            name=str(path),
            camera=camera_of(path, feed),
            load=lambda info=info: _read(archive, info),  # type: ignore[misc]
            captured_at=capture_time(path.name),
        )


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > MAX_UPLOAD_BYTES:
        raise too_large(info.file_size)
    try:
        return archive.read(info)
    except (
        zipfile.BadZipFile,
        RuntimeError,
        NotImplementedError,
        ValueError,
        EOFError,
        zlib.error,
        LZMAError,
    ) as error:
        msg = f"the archive's entry can't be read: {error}"
        raise TruncatedImageError(msg, "Make the archive again, without a password.") from error
