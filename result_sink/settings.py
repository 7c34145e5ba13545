"""The sink's settings."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from schemas.settings import LogLevel, ServiceSettings
from schemas.topics import FEEDBACK, PREDICTIONS, REPLAYS

TOPICS = (PREDICTIONS.name, REPLAYS.name, FEEDBACK.name)


class SinkSettings(ServiceSettings):
    """Environment variables with the prefix LEAF_SINK_."""

    model_config = SettingsConfigDict(env_prefix="LEAF_SINK_")

    group: str = "leaf-sink"
    """Consumer group in which several sinks share the partitions; its committed offsets are not used."""

    retention_days: float = Field(30, gt=0)
    """How long results, hour buckets and dedupe bits are kept, by event time: as long as the topics keep theirs."""

    minute_hours: float = Field(24, gt=0)
    """How long minute buckets are kept."""

    batch: int = Field(500, ge=1, le=500)
    """Records of one partition that one script applies."""

    read_ahead: int = Field(2000, ge=1)
    """Records of all partitions that are taken from the client at a time."""

    check_seconds: float = Field(1, gt=0)
    """How often Redis' offsets and the topics' ids are compared with what the sink believes; also the retry pause."""

    redis_timeout_s: float = Field(10, gt=0)
    """After this time without an answer Redis counts as away."""

    session_timeout_ms: int = 6000
    """A sink that died gives its partitions to others after this time."""

    metrics_port: int = Field(0, ge=0, le=65535)
    """Port of the Prometheus metrics, open once the sink has its partitions; 0: none."""

    metrics_host: str = "0.0.0.0"  # noqa: S104
    """Address on which the metrics are served."""

    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
