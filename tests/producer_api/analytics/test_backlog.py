from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from producer_api.analytics.backlog import mean_backlog
from producer_api.analytics.window import Window
from producer_api.uploads.backlog import Backlog

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON.timestamp() + 86_400


def minutes(count):
    return Window.of(NOON, NOON + timedelta(minutes=count), "minute")


def counts(images=0, latency_s=0.0):
    return Counter({("images",): images, ("latency_ms",): round(images * latency_s * 1000)})


def simulated(window, photographs):
    """Mean number in each bucket of photographs given as (arrival, answer), in seconds after the window's begin."""
    edges = [(at * window.seconds, (at + 1) * window.seconds) for at in range(window.length)]
    return [sum(max(0, min(left, end) - max(came, begin)) for came, left in photographs) / window.seconds
            for begin, end in edges]  # fmt: skip


def test_who_waits_for_minutes_is_counted_in_all_of_them():
    # Sixty arrive evenly in minute 0, and each waits for five minutes.
    photographs = [(number + 0.5, number + 300.5) for number in range(60)]
    found = mean_backlog(minutes(7), [counts(60, 300), *[counts()] * 6], LATER, None)
    assert found == pytest.approx(simulated(minutes(7), photographs), abs=0.05)
    assert found == pytest.approx([30, 60, 60, 60, 60, 30, 0], abs=0.05)


def test_while_an_outage_lasts_the_backlog_grows_though_nothing_is_answered():
    # One arrives each second; nothing was answered since the begin, five and a half minutes ago.
    found = mean_backlog(minutes(6), [counts()] * 6, NOON.timestamp() + 330, Backlog(330, {0: 330}))
    assert found == pytest.approx([30, 90, 150, 210, 270, 315])


def test_the_bucket_in_progress_is_divided_by_what_has_passed_of_it():
    # Ten a second, each in work for a second, fifteen seconds into the last minute.
    buckets = [counts(600, 1), counts(600, 1), counts(150, 1)]
    found = mean_backlog(minutes(3), buckets, NOON.timestamp() + 135, None)
    assert found[1:] == pytest.approx([10, 10], rel=0.05)


def test_what_came_before_the_window_and_was_still_waiting_counts():
    found = mean_backlog(minutes(2), [counts(60, 180), counts(), counts(), counts()], LATER, None)
    assert found == pytest.approx([60, 30])


@pytest.mark.parametrize("latency", [0.085, 20, 59, 61, 600, 5000])
def test_their_time_sums_to_their_latencies(latency):
    found = mean_backlog(minutes(200), [counts(100, latency), *[counts()] * 199], LATER, None)
    assert sum(found) * 60 == pytest.approx(100 * latency)


def test_a_bucket_that_has_not_begun_is_empty():
    assert mean_backlog(minutes(3), [counts()] * 3, NOON.timestamp() + 30, Backlog(5, {0: 10}))[1:] == [0, 0]
