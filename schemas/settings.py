"""What every service's settings share: where Kafka and Redis are."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.reasons import reason

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda level: level.upper() if isinstance(level, str) else level),
]

Settings = TypeVar("Settings", bound=BaseSettings)


def var_dir() -> Path:
    """Directory of everything a running stack writes."""
    return Path(os.environ.get("LEAF_VAR", "var"))


class RunningStackSource(PydanticBaseSettingsSource):
    """Addresses that `leaf up` wrote to `var/run.json`; the environment comes before it, the defaults after.

    What a killed stack left behind does not count, and the mode is that of its own broker only.
    """

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        """Unused: the whole file is read at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Known keys of the file, or nothing where no stack has run."""
        try:
            running: dict[str, Any] = json.loads((var_dir() / "run.json").read_text())
        except (OSError, ValueError):
            return {}
        if not _lives(running.get("pid")):
            return {}
        given = self.current_state.get("KAFKA", self.current_state.get("kafka", running.get("kafka")))
        names = ("kafka", "redis", "mode") if given == running.get("kafka") else ("redis",)
        return {name: running[name] for name in names if name in running}


def _lives(pid: int | None) -> bool:
    try:
        os.kill(pid or os.getpid(), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


class ServiceSettings(BaseSettings):
    """Base of each service's settings object; subclasses set their own `env_prefix`."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", populate_by_name=True, frozen=True, allow_inf_nan=False
    )

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


def from_environment(kind: type[Settings]) -> Settings:
    """A service's settings; where a variable is wrong the process ends with a sentence on each and exit status 1."""
    try:
        return kind()
    except ValidationError as error:
        sys.exit("\n".join(wrong_variables(error)))


def wrong_variables(error: ValidationError) -> list[str]:
    """A sentence on each variable of the environment that a settings class refused."""
    kind = next(kind for kind in _descendants(BaseSettings) if kind.__name__ == error.title)
    prefix = kind.model_config.get("env_prefix", "")
    sentences = []
    for problem in error.errors():
        name, *rest = (str(part) for part in problem["loc"] or ("",))
        variable = f"{prefix}{name}".upper() if name in kind.model_fields else name
        sentences.append(f"{'.'.join([variable, *rest])} in the environment is wrong: {reason(problem)}.")
    return sentences


def _descendants(kind: type[BaseSettings]) -> Iterator[type[BaseSettings]]:
    for child in kind.__subclasses__():
        yield child
        yield from _descendants(child)
