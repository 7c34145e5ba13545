"""When each frame of a video stream was taken, whatever its time stamps say."""

import math
from fractions import Fraction
from typing import Any, Final, NamedTuple

TOLERANCE_S: Final = 0.1
"""By so much time stamps may go back without having started again."""
LONGEST_GAP_S: Final = 10.0
"""A longer gap, in a format whose time stamps may break off (MPEG-TS, RTSP), is a jump, as FFmpeg holds it."""
LONGEST_GAP_ELSEWHERE_S: Final = 30 * 3600.0
APART_S: Final = 0.001
"""At least so far two frames stand from each other: names tell milliseconds."""


class Sampler:
    """Takes the first frame of each period of 1/fps seconds; all where no rate is asked."""

    def __init__(self, fps: float | None) -> None:
        self._fps = fps
        self._period = -math.inf

    def takes(self, seconds: float) -> bool:
        """Whether the frame at this time is wanted."""
        if self._fps is None:
            return True
        period = self._period_of(seconds)
        if period <= self._period:
            return False
        self._period = period
        return True

    def lacks(self, start: float, end: float) -> bool:
        """Whether a period stays without a frame if there is none from `start` to before `end`."""
        return self._fps is None or self._period < self._period_of(start) < self._period_of(end)

    def _period_of(self, seconds: float) -> float:
        return math.floor(seconds * (self._fps or 0) + 1e-6)


class Place(NamedTuple):
    """Where a frame stands."""

    seconds: float
    """Since the start of the recording; later for each frame than for the one before."""
    missed: list[float]
    """Places of packets before it that gave no frame."""


class _Expected(NamedTuple):
    stamp: int
    seconds: float


class Timeline:
    """Places the frames of one stream on a line of seconds that never goes back.

    Time stamps may start again (files that were put together, an encoder that restarted, a counter that is full) or
    jump: from there on time is counted on from the packet before. Each packet is expected to give a frame; those that
    did not are named with the next frame that did.
    """

    def __init__(self, step: float, start: float | None, *, may_jump: bool, begin: float = 0.0) -> None:
        """`step`: seconds between frames. `start`: time stamp of the recording's start, seconds, which is `begin` here.

        `may_jump`: the format's time stamps do that.
        """
        self._step = step
        self._longest = max(LONGEST_GAP_S if may_jump else LONGEST_GAP_ELSEWHERE_S, 3 * step)
        self._start, self._begin = start, begin
        self._shift = 0.0
        self._clock: float | None = None
        self._expected: list[_Expected] = []
        self._last = -math.inf
        self.jumps = 0

    def expect(self, packet: Any) -> None:
        """Note a packet, in the order of the file."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None:
            return
        seconds = float(stamp * packet.time_base)
        clock = seconds if packet.dts is None else float(packet.dts * packet.time_base)
        if self._clock is None:
            begins = self._start is not None and 0 <= seconds - self._start < LONGEST_GAP_S
            self._shift = self._begin - (self._start if begins and self._start is not None else seconds)
        elif not -max(TOLERANCE_S, 2 * self._step) <= clock - self._clock <= self._longest:
            self._shift += self._clock + self._step - clock
            self.jumps += 1
        self._clock = clock
        if not packet.is_discard:
            self._expected.append(_Expected(stamp, seconds + self._shift))

    def place(self, pts: int | None) -> Place:
        """The place of the next frame in the order of display."""
        mine = next((each for each in self._expected if each.stamp == pts), None)
        missed: list[float] = []
        if mine is not None:
            missed = sorted(each.seconds for each in self._expected if each.seconds < mine.seconds)
            self._expected = [each for each in self._expected if each is not mine and each.seconds >= mine.seconds]
        elif self._expected:  # a stamp that no packet had: the decoder's own
            self._expected.remove(min(self._expected, key=lambda each: each.seconds))
        found = mine.seconds if mine else None
        following = self._last + self._step if math.isfinite(self._last) else self._begin
        self._last = max(following if found is None else found, self._last + APART_S)
        return Place(self._last, missed)

    def rest(self) -> list[float]:
        """Places of the packets that are still without a frame: at the end, those that never get one."""
        rest = sorted(each.seconds for each in self._expected)
        self._expected.clear()
        return rest


def step_of(stream: Any, otherwise: Fraction | int) -> float:
    """Seconds from one frame to the next, as far as the stream states its rate."""
    return 1 / float(stream.guessed_rate or stream.average_rate or otherwise)
