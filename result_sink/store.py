"""Redis as the sink sees it: offsets, and one script that changes everything else together with them."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from pydantic_core import to_json
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from result_sink.batch import Batch
from result_sink.settings import SinkSettings
from schemas.counters import CHANGES_KEY, COMPLETE_SINCE_KEY, OFFSETS_KEY, TOTALS_KEY
from schemas.errors import ConfigurationError

log = logging.getLogger(__name__)

SCRIPT: Final = (Path(__file__).parent / "apply.lua").read_text()
KEYS: Final = (OFFSETS_KEY, TOTALS_KEY, COMPLETE_SINCE_KEY, CHANGES_KEY)


class Reply(NamedTuple):
    """What the script did with a batch."""

    refused: bool
    """Redis knows less than the sink believed; nothing was written."""
    stored: int | None
    """The partition's offset in Redis."""
    applied: int
    duplicates: int
    malformed: int
    """Records that follow no contract and were skipped."""


class Store:
    """One connection to the Redis primary. Every method raises redis' own errors where it is away or refuses.

    A request can be sent before its answer is fetched, so that Redis applies one batch while the next is prepared.
    """

    def __init__(self, settings: SinkSettings) -> None:
        timeout = settings.redis_timeout_s
        self._embedded = settings.mode == "embedded"
        self._redis: Redis = Redis.from_url(
            settings.redis_url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
        self._connection: Any = None
        self._sha = ""
        self._awaited: list[Batch] = []

    def connect(self) -> None:
        """Connect anew, check the configuration and load the script. Raises ConfigurationError or a RedisError."""
        self.close()
        self._redis.ping()
        if not self._embedded:
            self.check()
        self._sha = str(self._redis.script_load(SCRIPT))
        self._connection = self._redis.connection_pool.get_connection()

    def check(self) -> None:
        """Raises ConfigurationError where Redis could drop results or can't run the script."""
        if self._redis.info("cluster").get("cluster_enabled"):
            msg = "Redis runs as a cluster, but one script here joins many keys"
            raise ConfigurationError(msg, "Point REDIS at a single primary without Redis Cluster.")
        if self._redis.info("replication").get("role") != "master":
            msg = "this Redis is a replica and can't be written"
            raise ConfigurationError(msg, "Point REDIS at the primary.")
        try:
            policy = cast("dict[str, str]", self._redis.config_get("maxmemory-policy")).get("maxmemory-policy")
        except ResponseError as error:
            log.warning("can't read Redis' configuration (%s); make sure that maxmemory-policy is noeviction", error)
            return
        if policy != "noeviction":
            msg = f"Redis' maxmemory-policy is {policy}: it would drop results and counters when memory runs short"
            raise ConfigurationError(msg, "Run: redis-cli config set maxmemory-policy noeviction (and in redis.conf).")

    def close(self) -> None:
        """Forget the connection and what is on its way; Redis may or may not apply that."""
        self._awaited = []
        if self._connection is not None:
            self._connection.disconnect()
            self._redis.connection_pool.release(self._connection)
            self._connection = None

    def offsets(self, partitions: Sequence[str]) -> list[int | None]:
        """Stored offset of each partition, None where there is none."""
        found = cast("list[bytes | None]", self._redis.hmget(OFFSETS_KEY, partitions)) if partitions else []
        return [None if offset is None else int(offset) for offset in found]

    def move(
        self, partition: str, believed: int | None, to: int, *, lost: int = 0, since_ms: int | None = None
    ) -> bool:
        """Set a partition's offset unless it is no longer `believed`; say whether it was set."""
        header: dict[str, Any] = {
            "move": True,
            "partition": partition,
            "believed": "" if believed is None else str(believed),
            "next": str(to),
        }
        if lost:
            header["lost"] = str(lost)
        if since_ms is not None:
            header["since"] = str(since_ms)
        self.send([to_json(header)])
        return not self._reply().refused

    def apply(self, batches: list[Batch]) -> None:
        """Send batches of different or ascending offsets; `replies` tells what became of them."""
        for batch in batches:
            self.send(batch.arguments())
            self._awaited.append(batch)

    def replies(self) -> list[tuple[Batch, Reply]]:
        """Wait for the answers to all that was sent. A script that Redis lost with a restart raises NoScriptError."""
        awaited, self._awaited = self._awaited, []
        return [(batch, self._reply()) for batch in awaited]

    def send(self, arguments: list[bytes]) -> None:
        """Start the script."""
        if self._connection is None:
            msg = "not connected"
            raise RedisError(msg)
        self._connection.send_command("EVALSHA", self._sha, len(KEYS), *KEYS, *arguments)

    def _reply(self) -> Reply:
        status, stored, *counts = self._connection.read_response()
        applied, duplicates, malformed = map(int, counts or (0, 0, 0))
        return Reply(status == b"refused", int(stored) if stored else None, applied, duplicates, malformed)
