"""How large a record the topics take."""

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, for_code

from schemas.topics import FEEDBACK, IMAGES, MAX_BYTES, Topic

log = logging.getLogger(__name__)

CLIENT_BYTES: Final = 4 * 1024 * 1024
"""What the producer itself takes."""
LEARNED_SECONDS: Final = 60
REQUEST_MS: Final = 3000


class Limits:
    """`max.message.bytes` of the topics that the API writes, as last read; an operator may change it at any time.

    Where the broker does not say (the embedded one, or no right to ask), only the producer's own limit is known, and
    for a minute what was refused.
    """

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._known: Mapping[str, int] = {}
        self._learned: dict[str, tuple[int, float]] = {}
        self._read_at = -math.inf
        self._lock = asyncio.Lock()

    def of(self, topic: Topic) -> int:
        """Bytes of the largest record."""
        learned, until = self._learned.get(topic.name, (CLIENT_BYTES, 0))
        limit = self._known.get(topic.name) or (learned if time.monotonic() < until else CLIENT_BYTES)
        return min(CLIENT_BYTES, limit)

    def learn(self, topic: Topic, refused: int) -> None:
        """Note that the broker refused a record of this many bytes by itself."""
        self._learned[topic.name] = refused - 1, time.monotonic() + LEARNED_SECONDS

    @property
    def smallest(self) -> int:
        """Bytes that every one of the topics takes: brokers hold whole batches against the limit."""
        return min(map(self.of, (IMAGES, FEEDBACK)))

    async def refresh(self, since: float) -> None:
        """Ask the broker, unless it was asked after this moment of `time.monotonic`; what it does not say stays."""
        async with self._lock:
            if self._read_at >= since:
                return
            now, before = time.monotonic(), self._known
            try:
                self._known = await self._read()
            except IncompatibleBrokerVersion:  # the embedded one
                pass
            except (KafkaError, OSError) as error:
                log.warning("how large a record the topics take can't be read: %r", error)
            self._read_at = now
        for topic in (IMAGES, FEEDBACK):
            limit = self.of(topic)
            if limit != before.get(topic.name) and limit < topic.record_bytes:
                text = "%s takes records of %d bytes (%s), events have up to %d: larger ones are answered 413"
                log.warning(text, topic.name, limit, MAX_BYTES, topic.record_bytes)

    async def _read(self) -> dict[str, int]:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._bootstrap, client_id="leaf-api-limits", request_timeout_ms=REQUEST_MS
        )
        try:
            await admin.start()
            asked = [
                ConfigResource(ConfigResourceType.TOPIC, topic.name, configs={MAX_BYTES: ""})
                for topic in (IMAGES, FEEDBACK)
            ]
            found: dict[str, int] = {}
            for answer in await admin.describe_configs(asked):
                for code, _message, _kind, name, entries in answer.resources:
                    if code:
                        raise for_code(code)
                    found.update((name, int(entry[1])) for entry in entries if entry[0] == MAX_BYTES)
            return found
        finally:
            await admin.close()
