"""The workers' settings, environment prefix `LEAF_WORKER_`."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from schemas.settings import LogLevel, ServiceSettings, var_dir


class WorkerSettings(ServiceSettings):
    """One worker process."""

    model_config = SettingsConfigDict(env_prefix="LEAF_WORKER_")

    group: str = "leaf-workers"
    """Consumer group; its members share the partitions."""

    models: Path = Path("models")
    """Directory of `<name>/<version>/card.json`."""

    engine: Literal["openvino", "tensorflow"] = "openvino"
    """What computes: OpenVINO int8 (x86) or TensorFlow (reference, any platform)."""

    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Threads of each model's engine; default: as many as there are cores, for whichever of the arms takes longer."""

    batch_images: int = Field(64, ge=1, le=256)
    """Most photographs computed together. At most twice as many are decoded at any time."""

    attempts: int = Field(3, ge=1, le=10)
    """How often an image is computed before it counts as failed."""

    session_timeout_s: float = Field(10, ge=6, le=60)
    """After so long without a heartbeat the group gives a worker's partitions away."""

    commit_interval_s: float = Field(1, gt=0)
    """Time between commits of acknowledged offsets: what a killed worker did in it is done again."""

    stop_timeout_s: float = Field(7, gt=0)
    """After so long a stop is forced; what was not acknowledged is delivered again."""

    journal: Path = Field(default_factory=lambda: var_dir() / "journal")
    """Directory of the crash journals, shared by the workers of this machine."""

    metrics_port: int = Field(0, ge=0, le=65535)
    """Port of the Prometheus metrics, open once the worker has its partitions; 0: none."""

    metrics_host: str = "0.0.0.0"  # noqa: S104
    """Address on which the metrics are served."""

    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
