"""The difference of two shares under continuous monitoring: look as often as you like, stop when you like."""

import math
from typing import Final

from pydantic import BaseModel, ConfigDict

from producer_api.analytics.proportions import ALPHA, Interval, Share

SHARPEST: Final = 2000
"""Number of observations at which the sequence is narrowest."""
FIRST_LOOK: Final = 50
"""Observations that each arm needs before anything is said: the normal approximation has to hold by then."""
PRIOR: Final = 2
"""Successes and failures added for each arm's variance (Agresti & Coull 1998, The American Statistician 52:119)."""


class Monitor(BaseModel):
    """Always-valid answer: the interval covers the true difference at every look, with 95 % together."""

    model_config = ConfigDict(frozen=True)

    interval: Interval
    p_value: float
    different: bool
    """Whether the interval leaves out 0; this may be acted upon at any time."""


def monitor(first: Share, second: Share, alpha: float = ALPHA) -> Monitor | None:
    """Asymptotic confidence sequence of second share minus first; None before each arm has 50 observations.

    Robbins' normal mixture with the estimated variance of the arms' difference: Waudby-Smith, Arbour, Sinha, Kennedy &
    Ramdas 2024 (Annals of Statistics 52:2613, arXiv:2103.06476), theorem 2.2; its test is the mixture SPRT of Johari,
    Koomen, Pekelis & Walsh 2022 (Operations Research 70:1806). With t observations in all and V/t the variance of the
    difference, the radius is sqrt(V) sqrt(2 (t rho^2 + 1) / (t^2 rho^2) log(sqrt(t rho^2 + 1) / alpha)). The p-value
    is 1 / mixture likelihood ratio, capped at 1.
    """
    if min(first.of, second.of) < FIRST_LOOK:
        return None
    t = first.of + second.of
    spread = t * (_variance(first) / first.of + _variance(second) / second.of)
    value = second.count / second.of - first.count / first.of
    log_alpha = -2 * math.log(alpha)
    rho_t = (
        t * (log_alpha + math.log(log_alpha + 1)) / SHARPEST
    )  # t rho^2, rho by the paper's equation for t = SHARPEST
    radius = math.sqrt(spread * 2 * (rho_t + 1) / (t * rho_t) * math.log(math.sqrt(rho_t + 1) / alpha))
    log_ratio = rho_t * t * value**2 / (2 * spread * (rho_t + 1)) - math.log(rho_t + 1) / 2
    return Monitor(
        interval=Interval(low=max(-1.0, value - radius), high=min(1.0, value + radius)),
        p_value=math.exp(-max(0.0, log_ratio)),
        different=abs(value) > radius,
    )


def _variance(arm: Share) -> float:
    smoothed = (arm.count + PRIOR) / (arm.of + 2 * PRIOR)
    return smoothed * (1 - smoothed)
