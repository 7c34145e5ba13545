from datetime import UTC, datetime

import pytest

from schemas.errors import ConfigurationError
from schemas.moment import EPOCH, in_order, moment


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-23T14:30Z", datetime(2026, 11, 23, 14, 30, tzinfo=UTC)),
        ("2026-11-23T14:30+02:00", datetime(2026, 11, 23, 12, 30, tzinfo=UTC)),
        (" 2026-11-23 ", datetime(2026, 11, 23).astimezone()),
        ("1960-01-01", EPOCH),
    ],
)
def test_times(text: str, at: datetime) -> None:
    assert moment(text) == at


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", "23.11.2026", "2026-11-23T25:00", "1e9"])
def test_what_is_no_time_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a time") as caught:
        moment(text)
    assert "2026-11-23T14:30Z" in caught.value.remedy


def test_a_range_ends_after_it_begins() -> None:
    earlier, later = moment("2026-01-01T12:00Z"), moment("2026-01-01T12:00-01:00")
    for begin, end in ((earlier, later), (earlier, earlier), (None, earlier), (later, None), (None, None)):
        in_order(begin, end)
    with pytest.raises(ConfigurationError, match="is after --to"):
        in_order(later, earlier)
