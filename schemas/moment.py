"""Times as a person writes them on a command line."""

from datetime import UTC, datetime
from typing import Final

from schemas.errors import ConfigurationError

EPOCH: Final = datetime.fromtimestamp(0, UTC)


def moment(text: str) -> datetime:
    """ISO 8601 with or without a zone (without: this machine's), never before 1970. Raises ConfigurationError."""
    try:
        return max(datetime.fromisoformat(text.strip()).astimezone(), EPOCH)
    except (ValueError, OverflowError, OSError):
        msg = f"{text!r} is not a time"
        raise ConfigurationError(msg, "Write it as 2026-11-23, 2026-11-23T14:30 (here) or 2026-11-23T14:30Z.") from None


def in_order(begin: datetime | None, end: datetime | None) -> None:
    """Raises ConfigurationError where a range ends before it begins."""
    if begin and end and begin > end:
        msg = f"--from {_shown(begin)} is after --to {_shown(end)}"
        raise ConfigurationError(msg, "Give the earlier one as --from.")


def _shown(at: datetime) -> str:
    return at.astimezone().isoformat(timespec="seconds")
