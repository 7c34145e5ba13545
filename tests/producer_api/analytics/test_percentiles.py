import numpy as np
import pytest

from producer_api.analytics.percentiles import percentile

EDGES = [float(edge) for edge in np.geomspace(1, 100_000, 51)]


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_against_numpy_on_log_normal_latencies(share):
    latencies = np.random.default_rng(5).lognormal(np.log(120), 0.8, 20_000)
    counts = np.bincount(np.searchsorted(EDGES, latencies), minlength=52).tolist()
    assert percentile(EDGES, counts, share) == pytest.approx(np.quantile(latencies, share), rel=0.03)


def test_by_hand():
    assert percentile([10, 100], [0, 4, 0], 0.5) == pytest.approx(31.6228, abs=1e-4)  # half way in the logarithm
    assert percentile([10, 100], [4, 0, 0], 0.5) == 5  # the first bucket begins at 0
    assert percentile([10, 100], [1, 1, 8], 0.99) == 100  # above all edges
    assert percentile([10, 100], [1, 0, 1], 0.5) == 10


def test_of_nothing():
    assert percentile([10, 100], [0, 0, 0], 0.5) is None


def test_counts_must_fit_the_edges():
    with pytest.raises(ValueError, match="2 edges need 3 counts"):
        percentile([10, 100], [1, 2], 0.5)
