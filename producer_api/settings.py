"""Settings of the API, from the environment with the prefix LEAF_API_."""

from datetime import timedelta
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from schemas.counters import Step
from schemas.settings import LogLevel, ServiceSettings
from schemas.topics import WORKER_GROUP


class ApiSettings(ServiceSettings):
    """Everything an operator may want to change about the API."""

    model_config = SettingsConfigDict(env_prefix="LEAF_API_")

    host: str = "127.0.0.1"
    """Address to listen on."""

    port: int = Field(8000, ge=0, le=65535)
    """Port to listen on."""

    processes: int = Field(1, ge=1, le=64)
    """How many API processes share the port."""

    log_level: LogLevel = "INFO"
    """Least severe level that is logged."""

    task_id_key: SecretStr | None = Field(None, min_length=16)
    """Key of the task ids' MAC, the same for every API process; None: one made under `var/`, readable by its owner."""

    admin_key: SecretStr | None = Field(None, min_length=16)
    """Bearer key for changing experiments, reading camera feeds and seeing cameras' names; None: these are closed."""

    publish_seconds: float = Field(5, gt=0)
    """How long an upload waits for Kafka's acknowledgement before it is answered "not confirmed"."""

    linger_ms: int = Field(0, ge=0)
    """How long the producer waits for company before it sends a batch, milliseconds."""

    upload_seconds: float = Field(30, gt=0)
    """How long a client may take to send its photograph."""

    upload_memory_mb: int = Field(128, ge=16)
    """Upload bytes held in memory at once by one process, MiB; more are answered 503."""

    decode_threads: int = Field(2, ge=1, le=64)
    """Threads of one process that decode and shrink large photographs."""

    max_backlog_seconds: float = Field(60, gt=0)
    """Uploads to a partition are answered 503 while its oldest photograph without a prediction is older than this."""

    sample_seconds: float = Field(2, gt=0)
    """How often the workers' lag is looked at."""

    store_seconds: float = Field(1, gt=0)
    """How long a read from Redis may take."""

    stream_seconds: float = Field(600, gt=0)
    """Longest life of one event stream; browsers then reconnect by themselves."""

    models_dir: Path = Path("models")
    """Where the exported models' cards are."""

    frontend_dir: Path = Path("frontend")
    """The page, served by the API itself in embedded mode only."""

    retention_days: float = Field(30, gt=0, validation_alias=AliasChoices("LEAF_SINK_RETENTION_DAYS", "retention_days"))
    """How long results, hour buckets and dedupe bits are kept, by event time: as long as the topics keep theirs."""

    minute_hours: float = Field(24, gt=0, validation_alias=AliasChoices("LEAF_SINK_MINUTE_HOURS", "minute_hours"))
    """How long minute buckets are kept."""

    worker_group: str = Field(WORKER_GROUP, validation_alias=AliasChoices("LEAF_WORKER_GROUP", "worker_group"))
    """Consumer group; its members share the partitions."""

    @property
    def kept(self) -> dict[Step, timedelta]:
        """How long the sink keeps the counters of each step."""
        return {"minute": timedelta(hours=self.minute_hours), "hour": timedelta(days=self.retention_days)}
