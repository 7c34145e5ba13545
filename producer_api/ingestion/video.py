"""Frames of a video file, and of a camera that streams MJPEG over HTTP or RTSP."""

import hashlib
import logging
import math
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import av
from av.error import FFmpegError
from PIL import Image
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame, capture_time
from producer_api.ingestion.settings import IngestSettings
from schemas.errors import ConfigurationError, TruncatedImageError

log = logging.getLogger(__name__)

RAW_RATE: Final = 25
"""Frames a second where a video does not tell."""


class Sampler:
    """Takes the first frame of each period of 1/fps seconds; all where no rate is asked."""

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._period = -math.inf

    def takes(self, seconds: float) -> bool:
        """Whether the frame at this time is wanted."""
        if self._fps is None:
            return True
        period = math.floor(seconds * self._fps + 1e-6)
        if period <= self._period:
            return False
        self._period = period
        return True


def open_video(source: str) -> Any:
    """Open a video file. Raises ConfigurationError."""
    try:
        container = av.open(source, metadata_errors="replace")
    except FFmpegError as error:
        msg = f"{source} is no video that can be read: {error.strerror}"
        raise ConfigurationError(msg, "Give a folder, a zip, a video file or a camera's address.") from error
    if not container.streams.video:
        container.close()
        msg = f"{source} has no picture"
        raise ConfigurationError(msg, "Give a video with a picture track.")
    container.streams.video[0].thread_type = "AUTO"
    return container


def expected_frames(container: Any, fps: float | None) -> int | None:
    """How many frames a video file will give, about, where it tells."""
    stream = container.streams.video[0]
    if container.duration is None or not (fps or stream.average_rate):
        return None
    rate = min(float(stream.average_rate or math.inf), fps or math.inf)
    seconds: float = container.duration / av.time_base
    return max(1, round(seconds * rate))


def video(feed: Feed, container: Any) -> Iterator[Frame]:
    """The sampled frames of a video file. What can't be decoded is a frame that can't be loaded.

    Bare H.264 and H.265 streams tell no times: there one frame follows the other at the stream's rate.
    """
    path, sampler = Path(feed.source), Sampler(feed.fps)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    start = capture_time(path.name) or _creation_time(container.metadata)
    stream = container.streams.video[0]
    step = 1 / float(stream.guessed_rate or stream.average_rate or RAW_RATE)
    seconds = -step
    with container:
        for packet in container.demux(video=0):
            try:
                frames = packet.decode()
            except FFmpegError as error:
                yield _broken(feed, f"{path.name}@{max(0, seconds):.3f}s", error)
                continue
            for decoded in frames:
                seconds = seconds + step if decoded.time is None else float(decoded.time)
                if not sampler.takes(seconds):
                    continue
                yield Frame(
                    name=f"{path.name}@{seconds:.3f}s",
                    camera=feed.camera,
                    load=lambda decoded=decoded: _upright(decoded),  # type: ignore[misc]
                    captured_at=start + timedelta(seconds=seconds) if start else None,
                    digest=digest,
                )


def live(feed: Feed, settings: IngestSettings, stop: threading.Event, *, patient: bool) -> Iterator[Frame]:
    """The sampled frames of a camera, for ever: a lost one is tried again, with exponential backoff and jitter.

    Frames are stamped with this machine's clock. Unless `patient`, a camera that can't be reached at the start is an
    error (ConfigurationError) instead.
    """
    sampler, zone = Sampler(feed.fps), settings.timezone
    reached = False
    while not stop.is_set():
        retrying = Retrying(
            wait=wait_exponential_jitter(1, settings.reconnect_seconds),
            retry=retry_if_exception_type(FFmpegError),
            stop=stop_when_event_set(stop) if patient or reached else stop_after_attempt(1),
            sleep=sleep_using_event(stop),
            before_sleep=lambda state: _say_lost(feed, state),
            reraise=True,
        )
        try:
            container = retrying(_connect, feed, settings)
        except FFmpegError as error:
            if stop.is_set():
                return
            msg = f"the camera {feed.title} can't be reached: {error.strerror}"
            raise ConfigurationError(msg, "Check its address and that it is on.") from error
        reached = True
        log.info("%s: connected", feed.title)
        with container:
            yield from _stream(feed, container, sampler, zone, stop)
        log.warning("%s: the stream ended, connecting again", feed.title)
        stop.wait(1)


def _connect(feed: Feed, settings: IngestSettings) -> Any:
    timeout = settings.camera_timeout_seconds
    container = av.open(
        feed.source, timeout=(timeout, timeout), options={"rtsp_transport": "tcp"}, metadata_errors="replace"
    )
    if container.format.name not in {"mpjpeg", "rtsp", "mjpeg"}:
        container.close()
        msg = f"{feed.title} is a file of type {container.format.name}, not a camera"
        raise ConfigurationError(msg, "Download it, then ingest the file.")
    return container


def _stream(feed: Feed, container: Any, sampler: Sampler, zone: ZoneInfo, stop: threading.Event) -> Iterator[Frame]:
    try:
        for decoded in container.decode(video=0):
            now = datetime.now(zone)
            if stop.is_set():
                return
            if sampler.takes(now.timestamp()):
                yield Frame(
                    name=now.isoformat(timespec="milliseconds"),
                    camera=feed.camera,
                    load=lambda decoded=decoded: _upright(decoded),  # type: ignore[misc]
                    captured_at=now,
                    digest=b"",
                )
    except FFmpegError as error:
        log.warning("%s: %s", feed.title, error.strerror)


def _say_lost(feed: Feed, state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    reason = error.strerror if isinstance(error, OSError) else type(error).__name__
    pause = state.next_action.sleep if state.next_action else 0
    log.warning("%s can't be reached (%s), next attempt in %.0f s", feed.title, reason, pause)


def _upright(decoded: Any) -> Image.Image:
    image: Image.Image = decoded.to_image()
    return image.rotate(decoded.rotation, expand=True) if decoded.rotation else image


def _broken(feed: Feed, name: str, error: FFmpegError) -> Frame:
    def load() -> bytes:
        msg = f"the video can't be decoded here: {error.strerror}"
        raise TruncatedImageError(msg)

    return Frame(name=name, camera=feed.camera, load=load)


def _creation_time(metadata: dict[str, str]) -> datetime | None:
    try:
        return datetime.fromisoformat(metadata["creation_time"])
    except (KeyError, ValueError):
        return None
