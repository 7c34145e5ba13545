"""When each frame of a video stream was taken, whatever its time stamps say."""

import math
from fractions import Fraction
from typing import Any, Final, NamedTuple

TOLERANCE_S: Final = 0.1
"""By so much, or by two frames, the time stamps of frames in the order of display may go back by inaccuracy."""
REORDERED_S: Final = 1.0
"""By so much, or by sixteen frames, the time stamps of packets may go back: frames are not coded in their order."""
LONGEST_GAP_S: Final = 3600.0
"""A longer gap is a jump in a format whose time stamps may break off (MPEG-TS); a shorter one is a pause."""
COUNTER_S: Final = 2**33 / 90_000
"""After so long the counter of MPEG time stamps is full."""
LATE_START_S: Final = 10.0
"""The pictures start at most so much later than the recording, if its start is true."""
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
        return self._fps is None or max(self._period + 1, self._period_of(start)) < self._period_of(end)

    def _period_of(self, seconds: float) -> float:
        return math.floor(seconds * (self._fps or 0) + 1e-6)


class Place(NamedTuple):
    """Where a frame stands."""

    seconds: float
    """Since the start of the recording; later for each frame than for the one before."""
    missed: list[float]
    """Places of packets before it that gave no frame."""
    late: bool = False
    """Whether it comes after a frame that is shown after it, as happens after damage."""


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
        self._shift: float | None = None
        self._clock: float | None = None
        self._expected: list[_Expected] = []
        self._missed: set[int] = set()
        self._last = -math.inf
        self._furthest = begin
        self.jumps = 0

    def expect(self, packet: Any) -> None:
        """Note a packet, in the order of the file."""
        stamp = packet.dts if packet.pts is None else packet.pts
        if stamp is None or packet.is_discard:  # an edit list hides it
            return
        seconds = float(stamp * packet.time_base)
        if self._shift is None:
            begins = self._start is not None and 0 <= seconds - self._start < LATE_START_S
            self._shift = self._begin - (self._start if begins and self._start is not None else seconds)
        if packet.dts is not None:
            clock = float(packet.dts * packet.time_base)
            seconds += COUNTER_S * round((clock - seconds) / COUNTER_S)  # one of the two counters is full already
            last = clock if self._clock is None else self._clock
            if not -max(REORDERED_S, 16 * self._step) <= clock - last <= self._longest:
                self._count_on(max(self._shift + last - clock, self._furthest - seconds) + self._step)
            self._clock = clock
        self._expected.append(_Expected(stamp, seconds + self._shift))
        self._furthest = max(self._furthest, seconds + self._shift)

    def place(self, pts: int | None) -> Place:
        """The place of the next frame in the order of display."""
        mine = next((each for each in self._expected if each.stamp == pts), None)
        if mine is None and pts in self._missed:
            return Place(self._last, [], late=True)
        before = [each for each in self._expected if mine and each.seconds < mine.seconds]
        self._missed |= {each.stamp for each in before}
        if mine:
            self._expected = [each for each in self._expected if each is not mine and each.seconds >= mine.seconds]
        elif self._expected:  # a stamp that no packet had: the decoder's own
            self._expected.remove(min(self._expected, key=lambda each: each.seconds))
        following = self._last + self._step if math.isfinite(self._last) else self._begin
        seconds = mine.seconds if mine else following
        if seconds < self._last - max(TOLERANCE_S, 2 * self._step):
            by = following - seconds  # they started again, after less than packets may be reordered by
            self._count_on((self._shift or 0) + by)
            self._expected = [each._replace(seconds=each.seconds + by) for each in self._expected]
            seconds = following
        self._last = max(seconds, self._last + APART_S)
        return Place(self._last, sorted(each.seconds for each in before))

    def rest(self) -> list[float]:
        """Places of the packets that are still without a frame: at the end, those that never get one."""
        rest = sorted(each.seconds for each in self._expected)
        self._expected.clear()
        return rest

    def _count_on(self, shift: float) -> None:
        self._shift = shift
        self._missed.clear()
        self.jumps += 1


def step_of(stream: Any, otherwise: Fraction | int) -> float:
    """Seconds from one frame to the next, as far as the stream states its rate."""
    return 1 / float(stream.guessed_rate or stream.average_rate or otherwise)
