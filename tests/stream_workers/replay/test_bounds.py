from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from schemas.errors import ConfigurationError
from stream_workers.replay.bounds import Bound, resolve

OLDEST = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Topic:
    """Two partitions: 100 to 200 and 0 to 50, an image a minute each, the newest of both at the same time."""

    def oldest(self):
        return {0: 100, 1: 0}

    def end(self):
        return {0: 200, 1: 50}

    def oldest_time(self):
        return OLDEST

    def since(self, moment):
        minutes = int((moment - OLDEST) / timedelta(minutes=1))
        return {0: min(max(100 + minutes, 100), 200), 1: min(max(minutes - 50, 0), 50)}


def range_of(start=None, end=None):
    return resolve(Topic(), Bound.parse(start), Bound.parse(end))


@pytest.mark.parametrize("text", ["", "yesterday", "0:", "0:1,", "0:1;1:2", "-1:3", "0", "0:1.5"])
def test_neither_a_time_nor_offsets(text):
    with pytest.raises(ConfigurationError, match="neither a time nor offsets"):
        Bound.parse(text)


def test_times_and_offsets_are_told_apart():
    assert Bound.parse("0:12,3:4").offsets == {0: 12, 3: 4}
    assert Bound.parse("2026-11-20T12:00Z").time == OLDEST
    here = datetime(2026, 11, 20, 12).astimezone()
    assert Bound.parse("2026-11-20T12:00").time == here


def test_without_bounds_all_there_is():
    found = range_of()
    assert (found.start, found.end, found.gone) == ({0: 100, 1: 0}, {0: 200, 1: 50}, None)
    assert found.length == 150


def test_between_two_times():
    found = range_of("2026-11-20T12:30Z", "2026-11-20T13:00Z")
    assert (found.start, found.end) == ({0: 130, 1: 0}, {0: 160, 1: 10})


def test_offsets_name_the_partitions():
    found = range_of("0:120", "0:130")
    assert (found.start, found.end) == ({0: 120}, {0: 130})
    assert range_of("1:10").end == {1: 50}
    assert range_of(None, "1:10").start == {1: 0}


def test_the_end_is_not_in_the_future():
    assert range_of("0:190", "0:300").end == {0: 200}
    assert range_of("2027-01-01").length == 0


def test_an_empty_range_is_an_answer():
    assert range_of("0:150", "0:150").length == 0
    assert range_of("2026-11-20T12:30Z", "2026-11-20T12:30Z").length == 0


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0:150", "0:120"),
        ("1:3,0:150", "0:120,1:9"),
        ("2026-11-20T13:00Z", "2026-11-20T12:30Z"),
        ("2026-11-20T13:00+01:00", "2026-11-20T11:30Z"),
        ("2026-11-20T13:00Z", "0:120"),
        ("0:150", "2026-11-20T12:10Z"),
    ],
)
def test_a_range_that_ends_before_it_begins_is_an_error(start, end):
    with pytest.raises(ConfigurationError, match=r"--from .* after --to"):
        range_of(start, end)


@pytest.mark.parametrize("text", ["0001-01-01", "1969-12-31T23:00Z", "9999-12-31T23:59:59-12:00"])
def test_times_at_the_edges_of_the_calendar_are_times_or_said_to_be_none(text):
    with suppress(ConfigurationError):
        assert Bound.parse(text).time.timestamp() >= 0


def test_what_retention_took_is_said():
    found = range_of("0:40", "0:120")
    assert found.start == {0: 100}
    assert found.gone == "60 of these images are out of the retention window and gone"
    assert range_of("0:40", "0:60").gone.startswith("20 of these")
    assert "images before" in range_of("2026-11-19").gone
    assert range_of("2026-11-20T12:30Z").gone is None


def test_an_unknown_partition_is_an_error():
    with pytest.raises(ConfigurationError, match="no partition 7"):
        range_of("7:0")
