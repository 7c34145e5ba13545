"""A camera that streams over RTSP."""

import logging
import threading
from collections.abc import Iterator
from typing import Any, Final

import av
from av.error import ExitError, FFmpegError
from PIL import Image

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Shot
from producer_api.ingestion.rendering import render
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.video_file import other_streams, picture_stream
from schemas.errors import ConfigurationError, TruncatedImageError

log = logging.getLogger(__name__)

REMEDY: Final = "Check its address and that it is on."


def shots(feed: Feed, settings: IngestSettings, stop: threading.Event) -> Iterator[Shot]:
    """The camera's frames until it hangs up; those that can't be decoded are not sound, and end nothing.

    Raises ConfigurationError, with the reason alone, where it can't be reached or is silent for too long.
    """
    container = _connect(feed, settings)
    with container:
        stream = picture_stream(container)
        stream.codec_context.thread_count = 1  # with threads, damage is not seen
        aspect = stream.sample_aspect_ratio
        if others := other_streams(container):
            log.warning("%s: %d further videos of this camera are not ingested", feed.title, len(others))
        packets = container.demux(stream)
        while not stop.is_set():
            try:
                packet = next(packets)
            except (StopIteration, IndexError):
                return
            except FFmpegError as error:
                raise ConfigurationError(_reason(error), REMEDY) from None
            try:
                frames = packet.decode()
            except FFmpegError as error:
                yield Shot(_broken(_reason(error)), sound=False)
                continue
            for decoded in frames:
                if decoded.is_corrupt:
                    yield Shot(_broken("parts of it are missing"), sound=False)
                else:
                    yield Shot(lambda decoded=decoded: render(decoded, aspect))  # type: ignore[misc]


def _connect(feed: Feed, settings: IngestSettings) -> Any:
    timeout = settings.camera_timeout_seconds
    options = {"rtsp_transport": "tcp"}
    try:
        container = av.open(feed.source, timeout=(timeout, timeout), options=options, metadata_errors="replace")
    except FFmpegError as error:
        raise ConfigurationError(_reason(error), REMEDY) from None  # the error itself would show the password
    try:
        picture_stream(container)
    except ConfigurationError as error:
        container.close()
        msg = f"it {error}"
        raise ConfigurationError(msg, REMEDY) from None
    return container


def _reason(error: FFmpegError) -> str:
    if isinstance(error, ExitError):  # how PyAV ends what takes longer than the timeout
        return "it is silent for too long"
    return error.strerror or "it sends what can't be read"


def _broken(reason: str) -> Any:
    def load() -> Image.Image:
        msg = f"the camera's frame can't be decoded: {reason}"
        raise TruncatedImageError(msg)

    return load
