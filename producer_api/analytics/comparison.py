"""What sets an experiment's arms apart."""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel

from producer_api.analytics.arms import ArmReport
from producer_api.analytics.proportions import ALPHA, Difference, Share, difference, sample_size
from producer_api.analytics.sequential import Monitor, monitor

Verdict = Literal["not judged", "too early", "no difference yet", "better", "worse"]


class Compared(BaseModel):
    """An arm against the control on one share."""

    difference: Difference | None
    """For who looks once."""
    monitor: Monitor | None
    """For who looks again and again."""


class Comparison(BaseModel):
    """An arm against the first one, the control."""

    arm: str
    control: str
    accuracy: Compared
    likely: Compared
    uncertain: Compared
    rejected: Compared
    verdict: Verdict
    """By accuracy under continuous monitoring, with the 5 % shared among the comparisons: it may be acted upon. Not
    judged where images shared a draw: those of one uploader or camera are alike, and the intervals too narrow."""
    needed: int | None
    """Photographs with feedback that each of both needs to find `effect` in a single look with a power of 80 %."""
    missing: int | None
    """How many of these the two still lack."""
    missing_images: int | None
    """As many images as that takes at the present share of feedback."""


def compare(arms: Sequence[ArmReport], effect: float, *, shared_draws: bool = False) -> list[Comparison]:
    """Every arm against the first."""
    control, *others = arms
    return [_compare(control, arm, ALPHA / len(others), effect, shared_draws=shared_draws) for arm in others]


def _compare(control: ArmReport, arm: ArmReport, alpha: float, effect: float, *, shared_draws: bool) -> Comparison:
    always = monitor(control.accuracy, arm.accuracy, alpha)
    verdict: Verdict = "not judged" if shared_draws else "too early"
    if always is not None and not shared_draws:
        verdict = "no difference yet" if not always.different else "better" if always.interval.low > 0 else "worse"
    needed = missing = images = None
    if control.accuracy.value is not None:
        needed = sample_size(control.accuracy.value, effect)
        missing = sum(max(0, needed - one.accuracy.of) for one in (control, arm))
        told = (control.accuracy.of + arm.accuracy.of) / (control.images + arm.images)
        images = math.ceil(missing / told)
    return Comparison(
        arm=arm.name,
        control=control.name,
        accuracy=Compared(difference=difference(control.accuracy, arm.accuracy), monitor=always),
        likely=_compared(control.likely, arm.likely, alpha),
        uncertain=_compared(control.uncertain, arm.uncertain, alpha),
        rejected=_compared(control.rejected, arm.rejected, alpha),
        verdict=verdict,
        needed=needed,
        missing=missing,
        missing_images=images,
    )


def _compared(first: Share, second: Share, alpha: float) -> Compared:
    return Compared(difference=difference(first, second), monitor=monitor(first, second, alpha))
