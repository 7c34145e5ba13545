import math

import numpy as np
import pytest
from scipy import integrate, stats

from producer_api.analytics.proportions import Share, difference, share
from producer_api.analytics.sequential import FIRST_LOOK, monitor


def looks(rng, first, second, weight, images=10_000, every=100):
    """Counts of both arms after each `every` images, weight being the second arm's."""
    counts = np.zeros(4, int)
    for _ in range(images // every):
        n = rng.binomial(every, weight)
        counts += (rng.binomial(every - n, first), every - n, rng.binomial(n, second), n)
        yield Share(count=counts[0], of=counts[1]), Share(count=counts[2], of=counts[3])


def cries(runs, images, *truth, seed):
    """Share of runs in which any look says that the arms differ."""
    rng = np.random.default_rng(seed)
    found = (any((m := monitor(*look)) and m.different for look in looks(rng, *truth, images)) for _ in range(runs))
    return sum(found) / runs


@pytest.mark.slow
@pytest.mark.parametrize(("truth", "weight"), [(0.5, 0.5), (0.9, 0.5), (0.9, 0.1), (0.97, 0.05)])
def test_equal_arms_looked_at_after_every_100_images_cry_wolf_in_at_most_5_of_100_runs(truth, weight):
    assert cries(1000, 10_000, truth, truth, weight, seed=11) <= 0.05


def test_peeking_at_the_plain_test_does_cry_wolf():
    """The reason for the sequence: the same looks at the p-value of a single look."""
    rng = np.random.default_rng(12)
    wolves = sum(any(difference(*look).p_value < 0.05 for look in looks(rng, 0.9, 0.9, 0.5, 5000)) for _ in range(60))
    assert wolves > 12


def test_a_planted_difference_is_found_and_covered_at_every_look():
    rng = np.random.default_rng(13)
    found = missed = 0
    for _ in range(50):
        runs = [m for look in looks(rng, 0.85, 0.90, 0.5) if (m := monitor(*look))]
        found += any(m.different for m in runs)
        missed += any(not m.interval.low <= 0.05 <= m.interval.high for m in runs)
    assert found == 50
    assert missed <= 6  # binomial(50, 0.05) exceeds 6 in 1 of 100


def test_the_formula_by_hand():
    # V = 2 (0.899202 * 0.100798 + 0.879242 * 0.120758) = 0.393628, t rho^2 = 2 (5.991465 + 1.944690) = 15.87231,
    # radius = sqrt(0.393628 * 2 * 16.87231 / (4000 * 15.87231) * (ln sqrt(16.87231) + 2.995732)) = 0.030370
    found = monitor(share(1800, 2000), share(1760, 2000))
    assert (found.interval.low, found.interval.high) == pytest.approx((-0.050370, 0.010370), abs=2e-6)
    assert not found.different


def test_the_p_value_is_the_mixture_integrated_numerically():
    found = monitor(share(1800, 2000), share(1700, 2000))
    z = 0.05 / math.sqrt((1802 * 202 + 1702 * 302) / 2004**2 / 2000)
    prior = stats.norm(scale=math.sqrt(15.87231))  # of z's mean, under the alternative
    ratio, _ = integrate.quad(lambda mean: math.exp(mean * z - mean**2 / 2) * prior.pdf(mean), -30, 30)
    assert found.p_value == pytest.approx(1 / ratio, rel=1e-4)


def test_p_value_and_interval_agree():
    for count in range(1500, 2000, 7):
        found = monitor(share(1800, 2000), share(count, 2000))
        assert found.different == (found.p_value < 0.05) == (not found.interval.low <= 0 <= found.interval.high)


def test_nothing_is_said_too_early():
    assert monitor(share(FIRST_LOOK - 1, FIRST_LOOK - 1), share(0, 1000)) is None
    assert monitor(share(FIRST_LOOK, FIRST_LOOK), share(0, 1000)).different


def test_it_is_wider_than_the_interval_for_a_single_look():
    first, second = share(900, 1000), share(870, 1000)
    once, always = difference(first, second).interval, monitor(first, second).interval
    assert always.low < once.low < once.high < always.high
