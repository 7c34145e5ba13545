"""The counters' names are a contract between the sink and the API."""

import itertools

import pytest

from schemas import counters


def test_keys_are_pinned():
    at = 1_795_460_000_123
    arm = counters.arm_scope("default", 2, "resnet50")
    assert counters.bucket_key("minute", at) == "leaf:minute:1795459980:all"
    assert counters.bucket_key("hour", at, arm) == "leaf:hour:1795456800:arm:default:2:resnet50"
    assert counters.arm_scope("default", 2, "resnet50", "north") == "arm:default:2:resnet50:camera:north"
    assert counters.arm_scope(None, None, None) == "arm:-:0:-"
    assert counters.run_counters_key("again") == "leaf:run:again:counters"
    assert counters.run_results_key("again") == "leaf:run:again:results"
    assert counters.camera_results_key("north") == "leaf:camera:north:results"
    assert counters.feedback_key("x") == "leaf:feedback:x"


@pytest.mark.parametrize("histogram", counters.EDGES)
def test_edges_rise(histogram):
    edges = counters.EDGES[histogram]
    assert all(low < high for low, high in itertools.pairwise(edges))


def test_latency_bins_are_narrow_and_reach_hours():
    edges = counters.EDGES[counters.LATENCY]
    assert edges[-1] > 2 * 3600 * 1000
    assert max(high / low for low, high in itertools.pairwise(edges[1:])) < 1.13


def test_hashes_add_up():
    summed = counters.total(
        [{"images": "2", "label:healthy": "1"}, {"images": "3", "shadow:new:healthy:leaf_mold": "1"}]
    )
    assert summed == {("images",): 5, ("label", "healthy"): 1, ("shadow", "new", "healthy", "leaf_mold"): 1}


def test_bins_are_in_order_and_complete():
    summed = counters.total([{"confidence:0": "4", "confidence:19": "1"}])
    assert counters.bins(summed, counters.CONFIDENCE) == [4, *[0] * 18, 1]
