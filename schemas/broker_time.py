"""The time of a record: the broker's, or what comes closest to it where the broker did not stamp it."""

import time
from datetime import datetime
from typing import Final

from schemas.topics import DAY_MS, PREDICTIONS

LATEST_MS: Final = 253_402_300_799_999
"""The end of the year 9999, the last that a datetime holds. Redis refuses to expire a key much later."""
_OLDEST_MS: Final = int((PREDICTIONS.retention_days or 30) * DAY_MS)
"""A record that is older could not be in its topic any more, and what is made of it would expire at once."""
_AHEAD_MS: Final = 60 * 60 * 1000
"""How far a producer's clock may be ahead of ours."""


def time_of(timestamp_ms: int | None, *, appended: bool, said: datetime | None) -> int:
    """Milliseconds since 1970 for one record.

    1. The broker's append time, where the topic keeps that (`appended`, LogAppendTime).
    2. Else the producer's: the record's timestamp (CreateTime), then the time that the event says of itself. Neither
       is believed where it lies in the future, or before everything that a topic still holds.
    3. Else now: such a record has another time whenever it is read.
    """
    if appended and timestamp_ms is not None:
        return min(max(timestamp_ms, 0), LATEST_MS)
    now = int(time.time() * 1000)
    for claimed in (timestamp_ms, None if said is None else int(said.timestamp() * 1000)):
        if claimed is not None and now - _OLDEST_MS <= claimed <= now + _AHEAD_MS:
            return claimed
    return now
