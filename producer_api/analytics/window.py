"""The range of time that is asked about, in whole buckets."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Self

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from producer_api.errors import RequestError
from producer_api.moment import Moment
from schemas.counters import STEP_SECONDS, Step

MAX_BUCKETS: Final = 1500
DEFAULT: Final[dict[Step, timedelta]] = {"minute": timedelta(hours=3), "hour": timedelta(days=7)}

From = Annotated[Moment | None, Query(alias="from", description="Begin, RFC 3339; rounded down to a bucket.")]
To = Annotated[Moment | None, Query(description="End; rounded up to a bucket. Left out: now.")]


class Window(BaseModel):
    """Buckets of one step: the first one's begin up to the last one's end."""

    model_config = ConfigDict(frozen=True, populate_by_name=True, serialize_by_alias=True)

    begin: AwareDatetime = Field(alias="from")
    end: AwareDatetime = Field(alias="to")
    step: Step

    @classmethod
    def of(cls, begin: datetime | None, end: datetime | None, step: Step, default: timedelta | None = None) -> Self:
        """The window that covers this range; without an end, up to the bucket in progress.

        Without a begin it is `default` long, as far as that many buckets are read. Raises RequestError where it is
        empty or too long.
        """
        seconds = STEP_SECONDS[step]
        last = (end or datetime.now(UTC)).timestamp()
        high = -int(-last // seconds) * seconds if end else (int(last // seconds) + 1) * seconds
        length = min((default or DEFAULT[step]).total_seconds(), (MAX_BUCKETS - 1) * seconds)
        low = int((begin.timestamp() if begin else last - length) // seconds) * seconds
        if high <= low:
            msg = "the range ends before it begins"
            raise RequestError(msg, "Give from and to in this order.")
        if (high - low) // seconds > MAX_BUCKETS:
            msg = f"the range holds {(high - low) // seconds} buckets of one {step}, at most {MAX_BUCKETS} are read"
            coarser = " or for step=hour" if step == "minute" else f": {MAX_BUCKETS * seconds // 86400} days at most"
            raise RequestError(msg, f"Ask for a shorter range{coarser}.")
        try:
            return cls(begin=datetime.fromtimestamp(low, UTC), end=datetime.fromtimestamp(high, UTC), step=step)
        except (ValueError, OverflowError):
            msg = "the range is beyond the calendar"
            raise RequestError(msg, "Give years between 1 and 9999, in UTC.") from None

    def within(self, begin: datetime, end: datetime | None) -> "Window | None":
        """The buckets of this window that touch another range, if any; without an end it goes on."""
        if begin >= self.end or (end is not None and end <= self.begin):
            return None
        return Window.of(max(begin, self.begin), min(end or self.end, self.end), self.step)

    @property
    def seconds(self) -> int:
        """Length of one bucket."""
        return STEP_SECONDS[self.step]

    @property
    def length(self) -> int:
        """How many buckets."""
        return round((self.end - self.begin).total_seconds() / self.seconds)

    def buckets(self) -> Iterator[int]:
        """Begin of each bucket, ms."""
        end = int(self.end.timestamp())
        return (start * 1000 for start in range(int(self.begin.timestamp()), end, self.seconds))
