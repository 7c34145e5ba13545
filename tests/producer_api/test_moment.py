from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from producer_api.moment import Moment

READ = TypeAdapter(Moment).validate_python
EIGHT = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01T08:30:00Z",
        "2026-07-01t08:30:00z",
        "2026-07-01 10:30:00+02:00",
        "2026-07-01T08:30:00.000-00:00",
        " 2026-07-01T08:30:00.000000000Z ",
    ],
)
def test_reads_what_rfc_3339_allows(text):
    assert READ(text) == EIGHT


def test_a_leap_second_is_the_one_before():
    assert READ("2026-06-30T23:59:60Z") == datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "1782895800",
        "3.8e-187",
        "2026-07-01",
        "2026-07-01T08:30:00",
        "2026-07-01T08:30Z",
        "2026-07-01T10:30:00 02:00",
        "20260701T083000Z",
        "2026-02-30T08:30:00Z",
        "2026-07-01T25:30:00Z",
        "2026-07-01T08:30:00+25:00",
        "\u0662026-07-01T08:30:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "yesterday",
        "",
    ],
)
def test_refuses_anything_else(text):
    with pytest.raises(ValidationError):
        READ(text)


def test_says_how_a_plus_is_written_in_an_address():
    with pytest.raises(ValidationError, match="%2B"):
        READ("2026-07-01T10:30:00 02:00")
