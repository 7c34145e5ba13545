"""A video file: how it is opened, which of its streams is ingested, and where it should end."""

import errno
import math
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError
from av.stream import Disposition

from schemas.errors import ConfigurationError

RAW_RATE: Final = 25
"""Frames a second where a video does not state it."""
STILL: Final = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
"""Streams that are covers and thumbnails."""
TEXT_ART: Final = {"tty", "bin", "xbin", "adf", "idf"}
"""What FFmpeg takes any text for."""
_WITH_LENGTH: Final = {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "flv", "asf"}
"""Formats whose header states how long the recording is; of others FFmpeg guesses it from the file's size."""
MP4: Final = "mov,mp4,m4a,3gp,3g2,mj2"
_GIVE: Final = "Give a folder, a zip, a video file or a camera's address."


def open_video(source: str, offset: int = 0) -> Any:
    """Open a video file, or the part of it that begins at `offset` bytes. Raises ConfigurationError."""
    path = Path(source)
    url = f"subfile,,start,{offset},end,0,,:file:{source}" if offset else f"file:{source}"
    try:
        container = av.open(url, metadata_errors="replace", options={"protocol_whitelist": "file,subfile"})
    except (FFmpegError, ValueError, IndexError) as error:
        msg = f"{source} is no video that can be read: {_why(path, error)}"
        raise ConfigurationError(msg, _GIVE) from None
    if container.format.name in TEXT_ART:
        container.close()
        msg = f"{source} is no video"
        raise ConfigurationError(msg, _GIVE)
    try:
        stream = picture_stream(container)
    except ConfigurationError as error:
        container.close()
        msg = f"{source} {error}"
        raise ConfigurationError(msg, error.remedy) from None
    stream.codec_context.thread_count = 1  # threads lose frames beside a damaged one, or do not see the damage
    return container


def picture_stream(container: Any) -> Any:
    """The video stream that players show; covers and thumbnails are none. Raises ConfigurationError."""
    streams = _videos(container)
    if not streams:
        what = "only a cover picture" if container.streams.video else "no picture"
        msg = f"has {what}"
        raise ConfigurationError(msg, "Give a video with a picture track.")
    readable = [stream for stream in streams if stream.codec_context is not None]
    if not readable:
        msg = "has pictures in a format that can't be decoded here"
        raise ConfigurationError(msg, "Convert it to H.264.")
    best = container.streams.best("video")
    return best if best in readable else max(readable, key=lambda stream: stream.width * stream.height)


def other_streams(container: Any) -> list[Any]:
    """Further video streams, as recorders of several cameras write them."""
    chosen = picture_stream(container)
    return [stream for stream in _videos(container) if stream.index != chosen.index]


def expected_frames(container: Any, fps: float | None) -> int | None:
    """How many frames a video file will give, about, where it states that."""
    stream = picture_stream(container)
    if container.duration is None or not (fps or stream.average_rate):
        return None
    rate = min(float(stream.average_rate or math.inf), fps or math.inf)
    seconds: float = container.duration / av.time_base
    return max(1, round(seconds * rate))


def stated_seconds(container: Any, step: float) -> float | None:
    """How long the file's header says the recording is."""
    if container.format.name == "avi":
        frames = picture_stream(container).frames
        return frames * step if frames else None
    if container.format.name in _WITH_LENGTH and container.duration:
        return float(container.duration / av.time_base)
    return None


def next_part(path: Path, format_name: str, begin: int, position: int) -> int | None:
    """Where in a file another recording begins, which FFmpeg does not read on into.

    `begin` is where the present one begins, `position` where its last packet does, bytes. Recorders and `cat` append
    files to each other; in MPEG-TS the pictures may also go on as another stream.
    """
    size = path.stat().st_size
    if format_name == MP4:
        starts = [start for start, kind in _boxes(path, begin) if kind == b"ftyp" and start > begin]
        return starts[0] if starts else None
    if format_name == "flv" and position < size:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            start = data.find(b"FLV\x01", max(position, begin + 1))
        return start if start > 0 else None
    if format_name == "mpegts" and begin <= position < size - 188:
        return position + 188
    return None


def index_of(path: Path, begin: int) -> bytes:
    """The first `moov` box of an MP4 from this byte on; empty without one."""
    boxes = list(_boxes(path, begin))
    start = next((start for start, kind in boxes if kind == b"moov"), None)
    if start is None:
        return b""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(min((after for after, _ in boxes if after > start), default=path.stat().st_size) - start)


def _videos(container: Any) -> list[Any]:
    return [stream for stream in container.streams.video if not stream.disposition & STILL]


def _why(path: Path, error: Exception) -> str:
    if not path.is_file() or (isinstance(error, OSError) and error.errno == errno.EACCES):
        return str(error.strerror) if isinstance(error, FFmpegError) else "it is no file"
    if path.stat().st_size == 0:
        return "the file is empty"
    kinds = [kind for _, kind in _boxes(path, 0)]
    if kinds[:1] == [b"ftyp"] and not {b"moov", b"moof"} & set(kinds):
        return "its index (moov) is missing, the recording was cut off before the camera had finished the file"
    return str(error.strerror) if isinstance(error, FFmpegError) else "it is damaged"


def _boxes(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    """Where each top-level box of an MP4 begins, and its type (ISO/IEC 14496-12, 4.2)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while start + 8 <= size:
            file.seek(start)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4]), head[4:8]
            yield start, kind
            if length == 1:
                length = int.from_bytes(head[8:16])
            if length < 8:  # 0: up to the end of the file
                return
            start += length
