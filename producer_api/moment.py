"""A moment in a request: RFC 3339 with a zone, as OpenAPI's format `date-time` says."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator

_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)((?:\.\d+)?)([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _read(given: Any) -> Any:
    """Pydantic alone also takes numbers, dates and times without a zone; and no leap second, which RFC 3339 allows."""
    if isinstance(given, datetime):
        return given
    found = _RFC3339.fullmatch(given.strip()) if isinstance(given, str) else None
    if found is None:
        msg = "it must be as in 2026-07-01T08:30:00Z or 2026-07-01T10:30:00+02:00 (in an address, + is written %2B)"
        raise ValueError(msg)
    day, minute, second, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{min(second, '59')}{fraction[:7]}{zone.upper()}")
        moment.astimezone(UTC)
    except OverflowError:
        msg = "it is beyond the years 1 to 9999"
        raise ValueError(msg) from None
    return moment


Moment = Annotated[AwareDatetime, BeforeValidator(_read)]
