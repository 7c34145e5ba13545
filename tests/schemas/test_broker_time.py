import time
from datetime import UTC, datetime, timedelta

import pytest

from schemas.broker_time import time_of
from schemas.result import from_ms

DAY = timedelta(days=1)


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def test_what_the_broker_stamped_is_the_time_whatever_it_is() -> None:
    assert time_of(7, appended=True, said=datetime.now(UTC)) == 7


def test_a_producers_time_is_believed_where_it_can_be_right() -> None:
    yesterday, hour = datetime.now(UTC) - DAY, datetime.now(UTC) - DAY / 24
    assert time_of(ms(yesterday), appended=False, said=hour) == ms(yesterday)
    for wrong in (None, -1, 0, ms(datetime.now(UTC) - 31 * DAY), ms(datetime.now(UTC) + DAY), 2**62):
        assert time_of(wrong, appended=False, said=hour) == ms(hour)


@pytest.mark.parametrize("said", [None, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_record_without_any_time_that_can_be_right_came_now(said) -> None:
    before = time.time() * 1000 - 1
    assert before <= time_of(-1, appended=False, said=said) <= time.time() * 1000


@pytest.mark.parametrize("number", [-(2**63), -1, 0, 1_700_000_000_000, 253_402_300_799_999, 2**63 - 1])
def test_every_timestamp_has_a_datetime(number) -> None:
    assert 1970 <= from_ms(number).year <= 9999
    assert 0 <= time_of(number, appended=True, said=None) <= 253_402_300_799_999
