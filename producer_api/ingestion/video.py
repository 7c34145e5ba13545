"""Frames of a video file, and of a camera that streams over HTTP or RTSP."""

import logging
import random
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from producer_api.ingestion import mjpeg, rtsp
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame
from producer_api.ingestion.recording import Recording
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.timeline import Sampler
from schemas.errors import ConfigurationError

log = logging.getLogger(__name__)


def video(feed: Feed, container: Any) -> Iterator[Frame]:
    """The sampled frames of a video file. What is lost of it is a frame that can't be loaded.

    Bare H.264 and H.265 streams tell no times: there one frame follows the other at the stream's rate.
    """
    return Recording(feed).frames(container)


def live(feed: Feed, settings: IngestSettings, stop: threading.Event, *, patient: bool) -> Iterator[Frame]:
    """The sampled frames of a camera, for ever: a lost one is tried again after pauses that grow until pictures come.

    Frames are stamped with this machine's clock. Unless `patient`, a camera that gives no picture at the start is an
    error (ConfigurationError) instead.
    """
    sampler, reached, pause = Sampler(feed.fps), patient, 1.0
    shots = rtsp.shots if feed.source.lower().startswith("rtsp") else mjpeg.shots
    while not stop.is_set():
        reason, remedy = "the stream ended", "Check that it is on."
        try:
            for shot in shots(feed, settings, stop):
                if stop.is_set():
                    return
                reached = True
                pause = 1.0 if shot.sound else pause
                if sampler.takes(time.monotonic()):
                    now = datetime.now(settings.timezone)
                    yield Frame(
                        name=now.isoformat(timespec="milliseconds"),
                        camera=feed.camera,
                        load=shot.load,
                        captured_at=now,
                        digest=time.monotonic_ns().to_bytes(8),  # the clock may come by the same time twice
                    )
        except ConfigurationError as error:
            reason, remedy = str(error), error.remedy
        if not reached and not stop.is_set():
            msg = f"the camera {feed.title} gives no pictures: {reason}"
            raise ConfigurationError(msg, remedy)
        if stop.is_set():
            return
        log.warning("%s: %s, next attempt in %.0f s", feed.title, reason, pause)
        stop.wait(pause * random.uniform(0.9, 1.1))  # noqa: S311  so that cameras do not all come at once
        pause = min(2 * pause, settings.reconnect_seconds)
