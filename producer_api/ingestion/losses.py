"""Seconds of a recording that gave no picture, as frames that say why they can't be loaded."""

from pathlib import Path
from typing import Final

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame
from producer_api.ingestion.timeline import Sampler
from schemas.errors import TruncatedImageError

SILENT_S: Final = 1.0
"""Some codecs have packets that show nothing: only from this length on is a gap without an error a loss."""


class Losses:
    """Collects what is lost in a row, and states it once a picture comes again."""

    def __init__(self, feed: Feed, sampler: Sampler, step: float) -> None:
        self._feed, self._sampler, self._step = feed, sampler, step
        self._lost: list[float] = []
        self._reason: str | None = None

    def add(self, places: list[float], reason: str | None = None) -> None:
        """Note the places of frames that did not come, and why where that is known."""
        self._lost += places
        self._reason = reason or self._reason

    def stated(self, until: float | None) -> list[Frame]:
        """What is lost before the picture at `until`, in one frame; nothing where no picture was wanted there."""
        lost, reason = sorted(self._lost), self._reason
        self._lost, self._reason = [], None
        if reason and not lost:
            lost = [until or 0.0]  # the decoder does not say of which packet
        if not lost or not (reason or lost[-1] - lost[0] + self._step >= SILENT_S):
            return []
        end = lost[-1] + self._step
        if not self._sampler.lacks(lost[0], end if until is None else until):
            return []
        why = reason or "what it builds on is missing"
        length = max(end, until or 0.0) - lost[0]
        return [self.frame(f"@{max(0.0, lost[0]):.3f}s", f"{length:.3f} s of the video can't be decoded here: {why}")]

    def frame(self, place: str, reason: str) -> Frame:
        """A frame that can't be loaded for this reason."""

        def load() -> bytes:
            raise TruncatedImageError(reason)

        return Frame(name=Path(self._feed.source).name + place, camera=self._feed.camera, load=load)
