"""One feed's frames, in their order, as events."""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame
from producer_api.ingestion.pace import Pace
from producer_api.ingestion.picture import Picture, Piece, prepare
from producer_api.ingestion.publisher import Publisher
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import Source
from producer_api.ingestion.summary import Summary
from schemas.errors import EventTooLargeError, ImageError
from schemas.image import ImageEvent

if TYPE_CHECKING:
    from imagehash import ImageHash

log = logging.getLogger(__name__)

LOOKAHEAD: Final = 16
"""Frames in preparation per thread: enough to keep threads busy while one large picture is decoded."""
WAIT_S: Final = 0.2


class Intake:
    """Prepares a feed's frames in threads and publishes them in the feed's order."""

    def __init__(
        self,
        feed: Feed,
        settings: IngestSettings,
        publisher: Publisher,
        pace: Pace | None,
        summary: Summary,
        stop: threading.Event,
        *,
        alone: bool = True,
    ) -> None:
        self._feed, self._publisher, self._pace, self._summary, self._stop = feed, publisher, pace, summary, stop
        self._prefix = "" if alone else f"{feed.title}: "
        self._threads = settings.threads
        self._prepare = partial(prepare, cut=feed.cut, zone=settings.timezone, hashed=feed.skip_similar is not None)
        self._last: dict[str | None, ImageHash] = {}

    def run(self, source: Source) -> None:
        """Until the source ends, its limit is reached or `stop` is set."""
        with ThreadPoolExecutor(self._threads, "prepare") as pool:
            waiting: deque[tuple[Frame, Future[Picture]]] = deque()
            ahead = 0 if source.live else LOOKAHEAD * self._threads
            frames = _limited(source.frames, self._feed.limit)
            for frame in frames:
                if frame is not None:
                    waiting.append((frame, pool.submit(self._prepare, frame)))
                while waiting and (frame is None or len(waiting) > ahead):
                    self._pass_on(*waiting.popleft(), live=source.live)
                if self._stop.is_set():
                    break
            while waiting and not self._stop.is_set():
                self._pass_on(*waiting.popleft(), live=source.live)
            pool.shutdown(cancel_futures=True)

    def _pass_on(self, frame: Frame, preparing: Future[Picture], *, live: bool) -> None:
        self._summary.count("seen")
        name = self._prefix + frame.name
        try:
            picture = preparing.result()
        except ImageError as error:
            self._unusable(name, str(error), live=live)
            return
        except OSError as error:
            self._unusable(name, f"it can't be read: {error.strerror or error}", live=live)
            return
        self._summary.good(name)
        if self._repeats(picture):
            self._summary.count("skipped_similar")
            return
        for piece in picture.pieces:
            if self._publisher.holds(piece.id):
                self._summary.count("already_there")
            elif not self._publish(picture, piece, live=live):
                if self._stop.is_set():
                    return
                self._summary.count("dropped")
                self._last.pop(picture.camera, None)  # of this scene nobody has a whole picture yet

    def _unusable(self, name: str, reason: str, *, live: bool) -> None:
        if not live:
            self._summary.bad(name, reason)
            return
        count = self._summary.faulty(self._feed.title, reason)
        if count & (count - 1) == 0:  # 1, 2, 4, 8 and so on
            log.warning("%s: %d frames could not be used, the last one: %s", self._feed.title, count, reason)

    def _repeats(self, picture: Picture) -> bool:
        if picture.hash is None or self._feed.skip_similar is None:
            return False
        last = self._last.get(picture.camera)
        if last is not None and picture.hash - last <= self._feed.skip_similar:
            return True
        self._last[picture.camera] = picture.hash
        return False

    def _publish(self, picture: Picture, piece: Piece, *, live: bool) -> bool:
        if self._pace:
            while not self._pace.wait(0 if live else WAIT_S):
                if live or self._stop.is_set():
                    return False
            self._pace.sent(piece.id)
        camera = picture.camera
        event = ImageEvent(
            id=piece.id,
            jpeg=piece.jpeg,
            accepted_at=datetime.now(UTC),
            source=f"/cameras/{camera}" if camera else "/ingest",
            camera=camera,
            captured_at=picture.captured_at,
            frame=piece.name[-512:],
            key=piece.id if self._feed.unordered or camera is None else camera,
        )
        sent = self._publisher.send(
            event, wait=not live, on_refused=partial(self._refused, self._prefix + piece.name, piece)
        )
        if not sent and self._pace:
            self._pace.forget(piece.id)
        return sent

    def _refused(self, name: str, piece: Piece, error: EventTooLargeError) -> None:
        """The topic does not take so large an event: it is named, and a later run sends it."""
        if self._pace:
            self._pace.forget(piece.id)
        self._summary.bad(name, error.advice)


def _limited(frames: Iterator[Frame | None], limit: int | None) -> Iterator[Frame | None]:
    taken = 0
    for frame in frames:
        yield frame
        taken += frame is not None
        if taken == limit:
            return
