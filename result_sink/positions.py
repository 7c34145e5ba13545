"""Where to read each partition from: what Redis says, held against what the log still has."""

import logging
import time
from dataclasses import dataclass

from confluent_kafka import TopicPartition

from result_sink import metrics
from result_sink.journal import Bounds, Journal
from result_sink.store import Store

log = logging.getLogger(__name__)


@dataclass
class Position:
    """One partition that is being read."""

    topic: str
    partition: int
    field: str
    """Its name in Redis: `<topic>:<topic id>:<partition>`, so that a recreated topic starts anew."""
    next: int
    """Offset of the first record that was not sent to Redis yet: what the sink believes in."""


class Positions:
    """Finds and watches the offsets of the partitions that this process owns.

    No stored offset: start at the log's start; what is older can't come back, which `complete_since` tells. Below the
    log's start: jump there, and count the gap as lost. Beyond the log's end: the log lost its end, so raise the alarm
    and start at its start; what is there already is recognised. Each of these moves is one compare-and-set in Redis.
    """

    def __init__(self, journal: Journal, store: Store) -> None:
        self._journal = journal
        self._store = store
        self._suspects: set[tuple[str, int]] = set()
        self.ids: dict[str, str] = {}
        self.held: dict[tuple[str, int], Position] = {}

    def find(self, owned: list[TopicPartition]) -> list[TopicPartition]:
        """Where to start reading; raises KafkaException, RedisError, or ConfigurationError for a missing topic."""
        self.held = {}
        if not owned:
            return []
        self.ids = self._journal.topic_ids()
        fields = [f"{owned.topic}:{self.ids[owned.topic]}:{owned.partition}" for owned in owned]
        # The stored offsets first: what comes into the log later can't make them look too high.
        stored = self._store.offsets(fields)
        for partition, field, offset in zip(owned, fields, stored, strict=True):
            key = (partition.topic, partition.partition)
            start = self._start(partition, field, offset)
            self._suspects.discard(key)
            self.held[key] = Position(*key, field, start)
        return [TopicPartition(held.topic, held.partition, held.next) for held in self.held.values()]

    def suspect(self, topic: str, partition: int) -> None:
        """The log can't be read from where it was being read: it lost its start or, by leader epoch or end, its end.

        Without this, a log that lost its end and grew again beyond the stored offset would look sound.
        """
        self._suspects.add((topic, partition))

    def behind(self) -> list[tuple[Position, int | None]]:
        """Partitions of which Redis knows less than it was told; only after all replies are in."""
        held = list(self.held.values())
        stored = self._store.offsets([position.field for position in held])
        return [
            (position, offset)
            for position, offset in zip(held, stored, strict=True)
            if offset is None or offset < position.next
        ]

    def _start(self, partition: TopicPartition, field: str, stored: int | None) -> int:
        bounds = self._journal.bounds(partition)
        if stored is None:
            since = self._since(partition, bounds) if bounds.start else None
            self._store.move(field, None, bounds.start, since_ms=since)
            return bounds.start
        if stored < bounds.start:
            lost = bounds.start - stored
            log.error("%s: retention took %d records before they were read (from offset %d)", field, lost, stored)
            if self._store.move(field, stored, bounds.start, lost=lost, since_ms=self._since(partition, bounds)):
                metrics.LOST.labels(partition.topic).inc(lost)
            return bounds.start
        if stored > bounds.end or (partition.topic, partition.partition) in self._suspects:
            log.error(
                "%s: Redis has offset %d, but the log is shorter (%d to %d) or was: the broker lost records; "
                "reading it from its start",
                field,
                stored,
                bounds.start,
                bounds.end,
            )
            self._store.move(field, stored, bounds.start)
            metrics.TRUNCATIONS.inc()
            return bounds.start
        return stored

    def _since(self, partition: TopicPartition, bounds: Bounds) -> int:
        """Time of the oldest record that is left; now where none is."""
        first = self._journal.first_timestamp_ms(partition) if bounds.end > bounds.start else None
        return int(time.time() * 1000) if first is None else first
