"""What every service's settings share: where Kafka and Redis are."""

import json
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict


def var_dir() -> Path:
    """Directory of everything a running stack writes."""
    return Path(os.environ.get("LEAF_VAR", "var"))


class RunningStackSource(PydanticBaseSettingsSource):
    """Addresses that `leaf up` wrote to `var/run.json`; the environment comes before it, the defaults after."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Unused: the whole file is read at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Known keys of the file, or nothing where no stack has run."""
        try:
            running: dict[str, Any] = json.loads((var_dir() / "run.json").read_text())
        except (OSError, ValueError):
            return {}
        return {name: running[name] for name in ("kafka", "redis", "mode") if name in running}


class ServiceSettings(BaseSettings):
    """Base of each service's settings object; subclasses set their own `env_prefix`."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, frozen=True)

    kafka: str = Field("127.0.0.1:9092", validation_alias=AliasChoices("KAFKA", "kafka"))
    """Bootstrap servers, host:port, comma separated."""

    redis: str = Field("127.0.0.1:6379", validation_alias=AliasChoices("REDIS", "redis"), pattern=r":\d{1,5}$")
    """host:port of the one Redis primary."""

    mode: Literal["real", "embedded"] = Field("real", validation_alias=AliasChoices("MODE", "mode"))
    """`embedded`: in-memory broker and Redis, for a first look; nothing survives a stop."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the running stack's file."""
        return init_settings, env_settings, RunningStackSource(settings_cls)

    @property
    def redis_url(self) -> str:
        """The address in the form redis-py wants."""
        return f"redis://{self.redis}/0"
