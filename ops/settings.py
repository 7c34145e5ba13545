"""Settings of the local stack and of the topics, from the environment with the prefix LEAF_."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.settings import ServiceSettings
from schemas.topics import TOPICS


class TopicSettings(ServiceSettings):
    """How the topics are created; read by `leaf topics`."""

    model_config = SettingsConfigDict(env_prefix="LEAF_")

    partitions: int = Field(12, ge=1, le=1000)
    """Partitions of every topic that photographs or predictions go through; fixed once they exist."""

    replication: int = Field(1, ge=1, le=9)
    """Copies of each record; with 3, two must have it before an upload is confirmed."""

    retention_days: Annotated[dict[str, Annotated[float, Field(gt=0, le=36_500)]], NoDecode] = Field({})
    """Days that a topic keeps its records, by topic name, as JSON; the topics not named keep their default."""

    models_dir: Path = Path("models")
    """Where the exported models are: the `default` experiment splits photographs between their newest versions."""

    @field_validator("retention_days", mode="before")
    @classmethod
    def _from_json(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        try:
            return json.loads(given)
        except ValueError:
            msg = f'it is not JSON such as {{"{TOPICS[0].name}": 7}}'
            raise ValueError(msg) from None

    @field_validator("retention_days")
    @classmethod
    def _of_topics(cls, given: dict[str, float]) -> dict[str, float]:
        expiring = [topic.name for topic in TOPICS if topic.retention_days is not None]
        if strange := given.keys() - set(expiring):
            msg = f"no topic that expires is named {', '.join(sorted(strange))}; those are {', '.join(expiring)}"
            raise ValueError(msg)
        return given


class StackSettings(BaseSettings):
    """What `make run` (`leaf up`) starts; unlike the services it does not look at what ran before."""

    model_config = SettingsConfigDict(
        env_prefix="LEAF_", env_ignore_empty=True, extra="ignore", populate_by_name=True, frozen=True
    )

    kafka: str | None = Field(None, validation_alias=AliasChoices("KAFKA", "kafka"))
    """Bootstrap servers of an existing Kafka; None: start one."""

    redis: str | None = Field(None, validation_alias=AliasChoices("REDIS", "redis"), pattern=r":\d{1,5}$")
    """host:port of an existing Redis; None: start one."""

    mode: Literal["real", "embedded"] | None = Field(None, validation_alias=AliasChoices("MODE", "mode"))
    """None: real where its parts are there, else embedded."""

    port: int | None = Field(None, ge=1, le=65535, validation_alias=AliasChoices("PORT", "port"))
    """Port of the page; None: 8080 or the next free one."""

    listen: str = "127.0.0.1"
    """Address that the page's port listens on; 0.0.0.0 opens it to the network."""

    apis: int = Field(2, ge=1, le=16)
    """API processes."""

    workers: int = Field(1, ge=1, le=64)
    """Inference workers."""

    post_rate: int = Field(50, ge=1)
    """POSTs a second that nginx lets one client address make; more are answered 429."""

    post_burst: int = Field(200, ge=0)
    """POSTs by which an address may be ahead of that rate."""
