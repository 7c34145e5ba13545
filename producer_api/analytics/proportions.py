"""Shares of counts and what sets two of them apart: intervals, tests, sample sizes.

Every function is pure, on counts; `ALPHA` is the two-sided error that all of them are set to. The libraries take
seconds to import: `load` does so in the background, so that neither the start of the API nor a question waits for it.
"""

import math
from typing import Final

from pydantic import BaseModel, ConfigDict

ALPHA: Final = 0.05
POWER: Final = 0.8


class Interval(BaseModel):
    """A confidence interval, both ends included."""

    model_config = ConfigDict(frozen=True)

    low: float
    high: float


class Share(BaseModel):
    """`count` of `of`: with its 95 % interval, nothing where `of` is 0."""

    model_config = ConfigDict(frozen=True)

    count: int
    of: int
    value: float | None = None
    interval: Interval | None = None


class Difference(BaseModel):
    """Second share minus first, its 95 % interval and the two-sided p-value of equality, for one look at the data."""

    model_config = ConfigDict(frozen=True)

    value: float
    interval: Interval
    p_value: float


class Paired(BaseModel):
    """Two models on the same photographs: how often only one of them was right, and the p-value of equal chances."""

    model_config = ConfigDict(frozen=True)

    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float


def load() -> None:
    """Import the libraries."""
    paired(1, 0, 0, 1)
    sample_size(0.5, 0.1)
    ratio_mismatch([([10, 10], [0.5, 0.5])])


def share(count: int, of: int, alpha: float = ALPHA) -> Share:
    """Share with Wilson's score interval (Wilson 1927; Newcombe 1998, Statistics in Medicine 17:857, method 3)."""
    if of == 0:
        return Share(count=0, of=0)
    from statsmodels.stats.proportion import proportion_confint  # noqa: PLC0415

    low, high = proportion_confint(count, of, alpha=alpha, method="wilson")
    return Share(count=count, of=of, value=count / of, interval=Interval(low=float(low), high=float(high)))


def difference(first: Share, second: Share, alpha: float = ALPHA) -> Difference | None:
    """Newcombe's hybrid score interval (1998, Statistics in Medicine 17:873, method 10) and the pooled z-test.

    None where either share is of nothing.
    """
    if not first.of or not second.of:
        return None
    from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest  # noqa: PLC0415

    counts = second.count, second.of, first.count, first.of
    low, high = confint_proportions_2indep(*counts, compare="diff", method="newcomb", alpha=alpha)
    same = first.count + second.count in {0, first.of + second.of}  # all or none: no variance to test with
    _, p_value = (0, 1) if same else proportions_ztest((second.count, first.count), (second.of, first.of))
    return Difference(
        value=second.count / second.of - first.count / first.of,
        interval=Interval(low=float(low), high=float(high)),
        p_value=float(p_value),
    )


def paired(both: int, only_first: int, only_second: int, neither: int) -> Paired:
    """McNemar's exact test (1947, Psychometrika 12:153) of two models' correctness on the same photographs."""
    from statsmodels.stats.contingency_tables import mcnemar  # noqa: PLC0415

    test = mcnemar([[both, only_first], [only_second, neither]], exact=True)
    return Paired(
        both=both, only_first=only_first, only_second=only_second, neither=neither, p_value=min(1.0, float(test.pvalue))
    )


def sample_size(base: float, effect: float, ratio: float = 1, alpha: float = ALPHA, power: float = POWER) -> int:
    """How many the first sample needs, so that `base` against `base - effect` is told apart with `power`.

    `ratio` is second sample over first. Normal approximation without continuity correction (Fleiss, Levin & Paik
    2003, Statistical Methods for Rates and Proportions, ch. 4). The effect is taken towards 0.5, where it takes more.
    """
    from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail  # noqa: PLC0415

    away = effect if base <= 0.5 else -effect
    size = samplesize_proportions_2indep_onetail(diff=-away, prop2=base + away, power=power, ratio=ratio, alpha=alpha)
    return math.ceil(float(size))


def ratio_mismatch(groups: list[tuple[list[int], list[float]]]) -> float | None:
    """p-value that the arms got the shares they were promised; below 0.001 something is broken.

    One group per version of the weights: (images per arm, weights). Pearson's chi-square, summed over the groups with
    their degrees of freedom (Fabijan et al. 2019, Diagnosing Sample Ratio Mismatch, KDD). A group counts only where
    every arm with a weight expects 5 images or more; None where none does. Images in an arm of weight 0: p = 0.
    """
    from scipy import stats  # noqa: PLC0415

    statistic, freedom = 0.0, 0
    for counts, weights in groups:
        total = sum(counts)
        if any(count for count, weight in zip(counts, weights, strict=True) if weight == 0):
            return 0.0
        expected = [total * weight for weight in weights if weight > 0]
        if len(expected) < 2 or min(expected) < 5:
            continue
        observed = [count for count, weight in zip(counts, weights, strict=True) if weight > 0]
        statistic += float(stats.chisquare(observed, expected).statistic)
        freedom += len(expected) - 1
    return float(stats.chi2.sf(statistic, freedom)) if freedom else None
