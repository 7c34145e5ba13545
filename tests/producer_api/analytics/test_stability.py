import numpy as np
import pytest

from producer_api.analytics.stability import stability

TENTHS = [0.1] * 10


def test_the_index_by_hand():
    # 0.1 ln 1.2 - 0.1 ln 0.8 = 0.040547; a million images make the half counts vanish
    assert stability([0.5, 0.5], [600_000, 400_000]).psi == pytest.approx(0.040547, abs=1e-6)


def test_without_drift_it_stays_below_its_noise_in_95_of_100_windows():
    rng = np.random.default_rng(3)
    windows = [stability(TENTHS, rng.multinomial(1000, TENTHS).tolist()) for _ in range(1000)]
    below = sum(window.psi <= window.noise for window in windows)
    assert 930 <= below <= 970
    assert {window.level for window in windows} == {"none"}
    # mean of the index without drift: (bins - 1) / images (Yurdakul & Naranjo 2020)
    assert np.mean([window.psi for window in windows]) == pytest.approx(9 / 1000, rel=0.05)


@pytest.mark.parametrize(
    ("counts", "level"),
    [([1000] * 10, "none"), ([600] * 5 + [1400] * 5, "moderate"), ([300] * 5 + [1700] * 5, "large")],
)
def test_levels(counts, level):
    assert stability(TENTHS, counts).level == level


def test_a_small_window_says_that_it_is_too_small():
    assert stability(TENTHS, [0] * 9 + [20]).level == "too_few"
    assert stability(TENTHS, [0] * 10).level == "too_few"


def test_empty_bins_on_either_side_stay_finite():
    assert 1 < stability([0.0, 1.0], [1000, 0]).psi < 20


def test_bins_must_fit():
    with pytest.raises(ValueError, match="2 shares against 3"):
        stability([0.5, 0.5], [1, 2, 3])
