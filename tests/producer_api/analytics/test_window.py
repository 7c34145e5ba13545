from datetime import UTC, datetime, timedelta

import pytest

from producer_api.analytics import window as window_module
from producer_api.analytics.window import Window
from producer_api.errors import RequestError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_range_grows_to_whole_buckets():
    window = Window.of(NOON + MINUTE, NOON + 61 * MINUTE, "hour")
    assert (window.begin, window.end) == (NOON, NOON + 120 * MINUTE)
    assert list(window.buckets()) == [int(NOON.timestamp() * 1000), int(NOON.timestamp() * 1000) + 3_600_000]


def test_whole_buckets_stay_as_they_are():
    window = Window.of(NOON, NOON + 3 * MINUTE, "minute")
    assert (window.begin, window.end) == (NOON, NOON + 3 * MINUTE)
    assert len(list(window.buckets())) == 3


def test_left_out_it_ends_now():
    window = Window.of(None, None, "minute")
    assert timedelta(0) <= window.end - datetime.now(UTC) <= MINUTE
    assert window.end - window.begin in {timedelta(hours=3), timedelta(hours=3) + MINUTE}


@pytest.mark.parametrize(
    ("begin", "end", "reason"),
    [(NOON, NOON, "ends before it begins"), (NOON, NOON - MINUTE, "ends before"), (NOON, NOON + 1501 * MINUTE, "1501")],
)
def test_ranges_that_can_not_be_read(begin, end, reason):
    with pytest.raises(RequestError, match=reason) as refused:
        Window.of(begin, end, "minute")
    assert refused.value.remedy


def test_what_two_ranges_share():
    window = Window.of(NOON, NOON + 180 * MINUTE, "hour")
    assert window.within(NOON + 61 * MINUTE, NOON + 119 * MINUTE) == Window.of(
        NOON + 60 * MINUTE, NOON + 120 * MINUTE, "hour"
    )
    assert window.within(NOON - MINUTE, None) == window
    assert window.within(NOON + 180 * MINUTE, None) is None
    assert window.within(NOON - 60 * MINUTE, NOON) is None


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("9999-12-31T00:00:00+00:00", "9999-12-31T23:30:00+00:00"),
        ("0001-01-01T00:30:00+14:00", "0001-01-02T00:00:00+00:00"),
    ],
)
def test_a_range_beyond_the_calendar_is_refused(begin, end):
    with pytest.raises(RequestError, match="calendar"):
        Window.of(datetime.fromisoformat(begin), datetime.fromisoformat(end), "hour")


def test_a_range_too_long_is_not_told_to_take_the_step_it_has():
    for step, advice in (("minute", "step=hour"), ("hour", "62 days at most")):
        with pytest.raises(RequestError) as refused:
            Window.of(NOON - timedelta(days=1000), NOON, step)
        assert advice in refused.value.remedy
        assert f"step={step}" not in refused.value.remedy


def test_the_bucket_in_progress_belongs_to_a_range_without_an_end_also_at_its_first_moment(monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return NOON

    monkeypatch.setattr(window_module, "datetime", Clock)
    assert Window.of(NOON, None, "hour").end == NOON + 60 * MINUTE


@pytest.mark.parametrize("kept", [timedelta(days=1), timedelta(days=30), timedelta(days=400)])
def test_without_a_begin_all_that_is_kept_is_read_as_far_as_it_can_be(kept):
    window = Window.of(None, None, "hour", kept)
    assert window.length == min(kept // timedelta(hours=1) + 1, 1500)
