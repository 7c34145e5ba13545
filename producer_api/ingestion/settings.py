"""Settings of bulk ingestion, from the environment with the prefix LEAF_INGEST_."""

from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from schemas.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Everything an operator may want to change about `leaf ingest`."""

    model_config = SettingsConfigDict(env_prefix="LEAF_INGEST_")

    threads: int = Field(2, ge=1, le=64)
    """Threads that decode, verify and normalise pictures."""

    timezone: ZoneInfo = ZoneInfo("UTC")
    """Where the cameras' clocks are: neither EXIF nor file names say it."""

    target_delay_ms: float = Field(3, gt=0)
    """How much longer than on idle workers a picture may wait for its diagnosis before the ingest slows down."""

    max_unanswered: int = Field(512, ge=1)
    """Pictures on their way to a diagnosis at most, however fast the workers are."""

    checkpoint_seconds: float = Field(5, gt=0)
    """How often the journal notes what the topic holds."""

    watch_seconds: float = Field(1, gt=0)
    """How often `--watch` looks at the folder; a file unchanged between two looks is complete."""

    camera_timeout_seconds: float = Field(10, gt=0)
    """How long a camera may be silent before it counts as gone."""

    reconnect_seconds: float = Field(60, ge=1)
    """Longest pause between two attempts to reach a camera again."""
