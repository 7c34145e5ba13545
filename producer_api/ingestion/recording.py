"""A video file from its first second to its last."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import av
from av.error import FFmpegError

from producer_api.ingestion.cropping import cropping
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame, capture_time
from producer_api.ingestion.losses import Losses
from producer_api.ingestion.rendering import render
from producer_api.ingestion.timeline import Sampler, Timeline, step_of
from producer_api.ingestion.video_file import (
    MP4,
    RAW_RATE,
    index_of,
    next_part,
    open_video,
    other_streams,
    picture_stream,
    stated_seconds,
)
from schemas.errors import ConfigurationError

log = logging.getLogger(__name__)

SHORT_S: Final = 1.0
"""A recording that ends so much before its header says it ends was cut short."""
EARLIEST_YEAR: Final = 1990
"""Clocks that were never set give earlier times."""


class Recording:
    """One pass over a video file. Each wanted second gives a frame, or one that can't be loaded and says why.

    1. A file may hold several recordings, one after the other: each is a part, and time goes on.
    2. `Timeline` gives each picture its place, whatever the time stamps are, so no two frames have the same id.
    3. Of each part, `Losses` has the packets that gave no picture, a file that can't be read to its end or ends before
       the time that its header states, and further video streams.
    """

    def __init__(self, feed: Feed) -> None:
        self._feed, self._path = feed, Path(feed.source)
        self._sampler = Sampler(feed.fps)
        self._empty = True
        with self._path.open("rb") as file:
            self._digest = hashlib.file_digest(file, "sha256").digest()

    def frames(self, container: Any) -> Iterator[Frame]:
        """All frames of the file, of which `container` is the first part."""
        start = capture_time(self._path.name) or _creation_time(container.metadata)
        part = _Part(self._feed, container, self._sampler)
        while True:
            with part.container:
                for seconds, decoded in part.pictures():
                    self._empty = False
                    yield from part.losses.stated(seconds)
                    if self._sampler.takes(seconds):
                        yield Frame(
                            name=f"{self._path.name}@{seconds:.3f}s",
                            camera=self._feed.camera,
                            load=partial(render, decoded, part.aspect, part.cropping),
                            captured_at=_after(start, seconds),
                            digest=self._digest,
                        )
                yield from part.missing()
                following = next_part(self._path, part.format, part.offset, part.position)
            try:
                after = self._following(part, following) if following else None
            except ConfigurationError as error:
                reason = f"the file goes on with another recording, which can't be read: {error}"
                yield part.losses.frame(f"@{part.end:.3f}s", reason)
                return
            if after is None:
                if self._empty:
                    yield part.losses.frame("", "the video holds no picture that can be shown")
                return
            part = after

    def _following(self, part: "_Part", offset: int) -> "_Part | None":
        in_packets = part.format == "mpegts"  # there, a little sound may follow the last picture
        try:
            container = open_video(self._feed.source, offset)
        except ConfigurationError:
            if in_packets:
                return None
            raise
        if in_packets and picture_stream(container).id in part.stream_ids:
            container.close()
            return None
        return _Part(self._feed, container, self._sampler, part, offset)


class _Other:
    """A video stream beside the one that is ingested."""

    def __init__(self, stream: Any) -> None:
        self.index, self.id, self.packets, self.position = stream.index, stream.id, 0, 0
        known = stream.codec_context is not None and stream.width
        size = f" of {stream.width} x {stream.height} pixels" if known else ""
        self.reason = f"this further video{size} is not ingested: copy it into a file of its own"


class _Part:
    """One recording in a file."""

    def __init__(
        self, feed: Feed, container: Any, sampler: Sampler, before: "_Part | None" = None, offset: int = 0
    ) -> None:
        self.container, self.format, self.offset = container, container.format.name, offset
        self.position = offset
        """Where in the file its last picture is, bytes."""
        self._title = feed.title
        self._stream = picture_stream(container)
        self.stream_ids: set[int] = {self._stream.id} | (before.stream_ids if before else set())
        self.aspect = self._stream.sample_aspect_ratio
        path = Path(feed.source)
        index = index_of(path, offset) if self.format == MP4 else b""
        self.cropping = cropping(path, self.format, index, (self._stream.width, self._stream.height))
        self._step = step_of(self._stream, RAW_RATE)
        self._begin = before.end if before else 0.0
        self.end: float = self._begin
        """Where its last picture ends, seconds since the start of the file."""
        self.losses = Losses(feed, sampler, self._step)
        self._start = None if container.start_time is None else container.start_time / av.time_base
        may_jump = bool(container.format.flags & av.format.Flags.ts_discont.value)
        self._timeline = Timeline(self._step, self._start, may_jump=may_jump, begin=self._begin)
        self._others = {other.index: _Other(other) for other in other_streams(container)}
        self._read_to = 0.0
        self._failure = ""

    def pictures(self) -> Iterator[tuple[float, Any]]:
        """Place and decoded frame of each picture that is whole, in the order of display."""
        for packet in self._packets():
            self._timeline.expect(packet)
            try:
                frames = packet.decode()
            except FFmpegError as error:
                self.losses.add([], error.strerror)
                continue
            for decoded in frames:
                place = self._timeline.place(decoded.pts)
                self.losses.add(place.missed)
                self.end = place.seconds + self._step
                if place.late or decoded.is_corrupt:
                    self.losses.add([place.seconds], "parts of it are missing")
                else:
                    yield place.seconds, decoded
        self.losses.add(self._timeline.rest())
        if self._timeline.jumps:
            log.warning("%s: time stamps jump %d times, time is counted on", self._title, self._timeline.jumps)

    def missing(self) -> Iterator[Frame]:
        """What this part has not given, once it is read."""
        yield from self.losses.stated(None)
        stated = stated_seconds(self.container, self._step)
        read = self._read_to - (self._start or 0)
        if self._failure:
            yield self.losses.frame(f"@{self.end:.3f}s", f"the file can't be read from here on: {self._failure}")
        elif stated and not self._timeline.jumps and stated - read > SHORT_S:
            reason = f"the recording is cut short, {stated - read:.1f} s before the end that its header states"
            yield self.losses.frame(f"@{self._begin + read:.3f}s", reason)
        for other in self._others.values():
            if other.packets > 1 and not self._goes_on_as(other):
                self.stream_ids.add(other.id)
                yield self.losses.frame(f"#stream={other.index}", other.reason)

    def _goes_on_as(self, other: "_Other") -> bool:
        """Whether another stream begins where this one has ended; `next_part` leads to it."""
        return self.format == "mpegts" and other.position > self.position

    def _packets(self) -> Iterator[Any]:
        packets = self.container.demux()
        while True:
            try:
                packet = next(packets)
            except (StopIteration, IndexError):  # IndexError from PyAV, where a stream appeared after the start
                return
            except FFmpegError as error:
                self._failure = error.strerror or "it is damaged"
                return
            if packet.pts is not None and packet.time_base:
                length = (packet.duration or 0) * packet.time_base or self._step
                self._read_to = max(self._read_to, float(packet.pts * packet.time_base + length))
            if packet.stream.index == self._stream.index:  # the index of a packet that ends a stream is always 0
                self.position = self.offset + packet.pos if packet.pos else self.position
                yield packet
            elif other := self._others.get(packet.stream.index):
                other.packets += 1
                other.position = other.position or self.offset + (packet.pos or 0)


def _after(start: datetime | None, seconds: float) -> datetime | None:
    with suppress(OverflowError):
        return start + timedelta(seconds=seconds) if start else None
    return None


def _creation_time(metadata: dict[str, str]) -> datetime | None:
    with suppress(KeyError, ValueError):
        moment = datetime.fromisoformat(metadata["creation_time"])
        return moment if moment.year >= EARLIEST_YEAR else None
    return None
