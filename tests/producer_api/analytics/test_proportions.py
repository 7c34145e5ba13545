import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer_api.analytics.proportions import difference, paired, ratio_mismatch, sample_size, share


# Newcombe 1998, Statistics in Medicine 17:857, table I, method 3
@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_as_published(count, of, low, high):
    found = share(count, of)
    assert found.value == count / of
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=5e-5)


# Newcombe 1998, Statistics in Medicine 17:873, table II, method 10
@pytest.mark.parametrize(
    ("second", "first", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_newcombe_interval_as_published(second, first, low, high):
    found = difference(share(*first), share(*second))
    assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=5e-5)
    assert found.value == pytest.approx(second[0] / second[1] - first[0] / first[1])


def test_pooled_z_test_by_hand():
    # 56/70 and 48/80: pooled 104/150, z = 0.2 / sqrt(104/150 * 46/150 * (1/70 + 1/80)) = 2.6508
    assert difference(share(48, 80), share(56, 70)).p_value == pytest.approx(0.008030, abs=2e-5)


def test_nothing_can_be_said_of_nothing():
    assert share(0, 0).interval is None
    assert difference(share(0, 0), share(1, 2)) is None
    assert difference(share(0, 9), share(0, 9)).p_value == 1
    assert difference(share(9, 9), share(9, 9)).p_value == 1


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 500), st.integers(1, 500))
def test_swapping_the_arms_mirrors_the_difference(a, b, n, m):
    first, second = share(min(a, n), n), share(min(b, m), m)
    there, back = difference(first, second), difference(second, first)
    assert there.value == pytest.approx(-back.value)
    assert there.interval.low == pytest.approx(-back.interval.high, abs=1e-9)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.interval.low <= there.value <= there.interval.high


def test_intervals_cover_what_is_true_in_95_of_100_runs():
    rng = np.random.default_rng(7)
    wilson = newcombe = 0
    for _ in range(1000):
        a, b = share(rng.binomial(400, 0.88), 400), share(rng.binomial(300, 0.92), 300)
        wilson += a.interval.low <= 0.88 <= a.interval.high
        newcombe += (d := difference(a, b).interval).low <= 0.04 <= d.high
    assert 930 <= wilson <= 970  # three standard deviations around 950
    assert 930 <= newcombe <= 970


def test_a_single_look_at_equal_arms_cries_wolf_in_5_of_100_runs():
    rng = np.random.default_rng(8)
    wolves = sum(
        difference(share(rng.binomial(1000, 0.9), 1000), share(rng.binomial(1000, 0.9), 1000)).p_value < 0.05
        for _ in range(2000)
    )
    assert 70 <= wolves <= 130


def test_exact_mcnemar_as_published():
    # Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91: airway hyper-responsiveness
    assert paired(1, 1, 7, 12).p_value == pytest.approx(0.0703, abs=5e-5)
    # Agresti, Categorical Data Analysis, approval ratings: z^2 = 64^2 / 236 = 17.36
    assert paired(794, 150, 86, 570).p_value == pytest.approx(3.7e-5, abs=1e-6)
    assert paired(10, 0, 0, 10).p_value == 1
    assert paired(10, 4, 4, 10).p_value == 1


def test_sample_size_as_in_r():
    # R's documentation: power.prop.test(p1 = .50, p2 = .75, power = .90) gives n = 76.7
    assert sample_size(0.5, 0.25, power=0.9) == 77


def test_sample_size_is_enough_and_not_too_much():
    rng = np.random.default_rng(9)
    size = sample_size(0.9, 0.04)
    found = sum(
        difference(share(rng.binomial(size, 0.9), size), share(rng.binomial(size, 0.86), size)).p_value < 0.05
        for _ in range(2000)
    )
    assert 0.77 < found / 2000 < 0.83


def test_a_rarer_second_arm_needs_more_images():
    assert sample_size(0.9, 0.02, ratio=1 / 9) > 4 * sample_size(0.9, 0.02)


def test_sample_ratio_mismatch_as_published():
    # Kohavi, Tang & Xu 2020, Trustworthy Online Controlled Experiments, ch. 3: 821,588 against 815,482
    assert ratio_mismatch([([821_588, 815_482], [0.5, 0.5])]) == pytest.approx(1.8e-6, abs=0.05e-6)


def test_sample_ratio_over_changed_weights():
    held = [([510, 490], [0.5, 0.5]), ([905, 95], [0.9, 0.1])]
    assert ratio_mismatch(held) > 0.5
    swapped = [([905, 95], [0.5, 0.5]), ([510, 490], [0.9, 0.1])]
    assert ratio_mismatch(swapped) < 1e-9


def test_sample_ratio_says_nothing_on_too_few_or_one_arm():
    assert ratio_mismatch([([9, 0], [0.5, 0.5])]) is None
    assert ratio_mismatch([([50, 2], [0.95, 0.05])]) is None
    assert ratio_mismatch([([500, 0], [1.0, 0.0])]) is None
    assert ratio_mismatch([]) is None


def test_images_in_an_arm_without_weight_are_a_mismatch():
    assert ratio_mismatch([([500, 1], [1.0, 0.0])]) == 0


def test_sample_ratio_cries_wolf_no_more_often_than_it_says():
    rng = np.random.default_rng(10)
    weights = [0.6, 0.3, 0.1]
    low = sum(ratio_mismatch([(rng.multinomial(500, weights).tolist(), weights)]) < 0.05 for _ in range(2000))
    assert 70 <= low <= 130
