"""Promise 3, the sink: every prediction and every feedback counts in Redis effectively once."""

import contextlib
import logging
import time
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client import start_http_server
from redis.exceptions import RedisError

from result_sink import metrics
from result_sink.batch import Batch, Batcher
from result_sink.journal import Journal
from result_sink.positions import Positions
from result_sink.settings import TOPICS, SinkSettings
from result_sink.store import Store
from schemas.errors import ConfigurationError
from schemas.logs import QUIET_SECONDS

log = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.2
"""Longest wait for a record: what else is to be done may be this late."""
REJOIN_MS: Final = 30_000
"""How long the group waits for a member that does not rejoin: the library's 5 minutes would stop the others as long."""


class Sink:
    """Effectively once: what Kafka holds is in Redis, and counted there, exactly once.

    1. The consumer group says which partitions this process reads; several processes share them. Where to read from
       stands in Redis, under topic id and partition (`Positions`), never in Kafka.
    2. Records are read ahead, cut into batches of one partition (at most 500 records), and turned into what they
       change (`Batcher`), whatever Redis holds already.
    3. One script (`apply.lua`) per batch compares the offset the sink believes in with the stored one, skips what is
       stored already, recognises duplicates, and writes results, counters and the new offset together.
    4. Every second the stored offsets of all partitions, idle ones too, and the topics' ids are compared with what the
       sink believes.
    5. Whatever does not fit (refused batch, new owner, topic recreated, log truncated, Redis or broker away) has one
       answer: nothing is read, and once both sides answer again, every position is taken from Redis anew.

    It survives: kill -9 at any time; two sinks that believe to own one partition; Redis away, restarted without its
    last second, emptied, or replaced by an older copy; topics recreated; a log that lost its end, or its start to
    retention (what was lost is counted). It does not survive a broker that forgets images whose predictions it keeps:
    their offsets come again for other images, which are then taken for duplicates.
    """

    def __init__(self, settings: SinkSettings) -> None:
        common = {"bootstrap.servers": settings.kafka}
        library = logging.getLogger("librdkafka")
        self._settings = settings
        self._consumer = Consumer(
            common
            | {
                "group.id": settings.group,
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "partition.assignment.strategy": "roundrobin",
                "session.timeout.ms": settings.session_timeout_ms,
                "heartbeat.interval.ms": settings.session_timeout_ms // 4,
                "max.poll.interval.ms": max(REJOIN_MS, settings.session_timeout_ms),
                "topic.metadata.refresh.interval.ms": 5000,
                "queued.max.messages.kbytes": 16384,
                "fetch.wait.max.ms": 100,
            },
            logger=library,
        )
        admin = AdminClient(common, logger=library)
        journal = Journal(settings, self._consumer, admin)
        self._store = Store(settings)
        self._batcher = Batcher(settings)
        self._positions = Positions(journal, self._store)
        self._journal = journal
        self._owned: list[TopicPartition] = []
        self._ready = False
        self._told = False
        self._stopping = False
        self._rewound: set[str] = set()
        self._complaint = ""
        self._complained_at = 0.0
        self._check_at = 0.0

    def stop(self) -> None:
        """Let `run` finish what it has sent, leave the group and return; for signal handlers."""
        self._stopping = True

    def run(self) -> None:
        """Apply what comes until `stop`. Raises ConfigurationError where Redis is set up wrongly at the start."""
        with contextlib.suppress(RedisError):  # away: it is waited for below
            self._store.connect()
        self._consumer.subscribe(list(TOPICS), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked)
        try:
            while not self._stopping:
                self._step()
            with contextlib.suppress(RedisError):
                self._settle()
        finally:
            self._consumer.close()
            self._store.close()

    def _step(self) -> None:
        try:
            if not self._ready:
                self._resume()
            messages = self._read()
            if self._ready and time.monotonic() >= self._check_at:
                self._check()
            batches = self._cut(messages) if self._ready else []
            self._settle()
            if self._ready:
                self._store.apply(batches)
        except (RedisError, KafkaException, ConfigurationError) as error:
            self._rest(error)

    def _resume(self) -> None:
        """Take every position from Redis and start reading there."""
        self._store.connect()
        positions = self._positions.find(self._owned)
        if self._owned:  # between two assignments the library is joining, and an answer it did not ask for can stop it
            self._consumer.assign(positions)
        self._ready = True
        self._rewound.clear()
        metrics.LAG.clear()  # of the partitions that are others' now
        metrics.REDIS_UP.set(1)
        if self._complaint:
            log.info("reading on")
            self._complaint = ""

    def _rest(self, error: Exception) -> None:
        """Read nothing, but stay in the group, until it is worth another try."""
        self._ready = False
        self._store.close()
        if self._owned:
            self._consumer.assign([])
        if isinstance(error, RedisError):
            metrics.REDIS_UP.set(0)
        self._complain(f"{_what(error)}; nothing is read until that is over")
        self._consumer.poll(self._settings.check_seconds)

    def _complain(self, complaint: str) -> None:
        """Log something new at once, the same again at most every few seconds."""
        now = time.monotonic()
        if complaint != self._complaint or now - self._complained_at >= QUIET_SECONDS:
            log.warning(complaint)
            self._complaint, self._complained_at = complaint, now

    def _read(self) -> list[Message]:
        """What is there, as soon as something is there."""
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return []
        found = [first, *self._consumer.consume(self._settings.read_ahead, 0)]
        records = []
        for message in found:
            if (error := message.error()) is None:
                records.append(message)
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
                log.warning("%s %s: %s", message.topic(), message.partition(), error.str())
                self._positions.suspect(message.topic() or "", message.partition() or 0)
                self._ready = False
            else:
                self._complain(error.str())
        return records

    def _cut(self, messages: list[Message]) -> list[Batch]:
        """Batches of one partition each; from here on the sink believes in them."""
        by_partition: dict[tuple[str, int], list[Message]] = {}
        for message in messages:
            by_partition.setdefault((message.topic() or "", message.partition() or 0), []).append(message)
        batches = []
        for key, records in by_partition.items():
            if (position := self._positions.held.get(key)) is None:
                continue
            for start in range(0, len(records), self._settings.batch):
                batch = self._batcher.batch(
                    position.field, position.next, records[start : start + self._settings.batch]
                )
                position.next = batch.next
                batches.append(batch)
        return batches

    def _settle(self) -> None:
        """Fetch the answers to what was sent."""
        for batch, reply in self._store.replies():
            topic = batch.partition.partition(":")[0]
            if reply.refused:
                self._rewind(batch.partition, batch.believed, reply.stored)
            metrics.APPLIED.labels(topic).inc(reply.applied)
            metrics.DUPLICATES.labels(topic).inc(reply.duplicates)
            metrics.MALFORMED.labels(topic).inc(reply.malformed)

    def _check(self) -> None:
        """Compare what Redis and the broker say now with what was believed."""
        self._settle()
        for position, stored in self._positions.behind():
            self._rewind(position.field, position.next, stored)
        if recreated := self._journal.recreated(self._positions.ids):
            log.warning("recreated, so read from the start: %s", ", ".join(recreated))
            self._ready = False
        for position in self._positions.held.values():
            _, end = self._consumer.get_watermark_offsets(
                TopicPartition(position.topic, position.partition), cached=True
            )
            metrics.LAG.labels(position.topic, position.partition).set(max(0, end - position.next))
        self._check_at = time.monotonic() + self._settings.check_seconds

    def _rewind(self, partition: str, believed: int, stored: int | None) -> None:
        self._ready = False
        if partition in self._rewound:  # by another of its batches
            return
        self._rewound.add(partition)
        log.warning(
            "%s: Redis has %s instead of %d, it was emptied or set back: reading again", partition, stored, believed
        )
        metrics.REWINDS.inc()

    def _assigned(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self._owned = partitions
        self._ready = False
        self._consumer.assign([])
        if self._settings.metrics_port and not self._told:  # whoever asks whether the sink is ready asks there
            self._told = True
            start_http_server(self._settings.metrics_port, self._settings.metrics_host)

    def _revoked(self, _: Consumer, __: list[TopicPartition]) -> None:
        self._owned = []
        self._ready = False
        self._consumer.unassign()


def _what(error: Exception) -> str:
    if isinstance(error, RedisError):
        return f"Redis does not answer as it should: {error or type(error).__name__}"
    if isinstance(error, KafkaException):
        return f"Kafka does not answer: {error.args[0].str()}"
    return f"{error}. {getattr(error, 'remedy', '')}"
