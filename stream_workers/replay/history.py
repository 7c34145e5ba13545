"""The run's records, read by the partitions that this worker holds."""

from collections import deque
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from schemas.replay import Progress, Run, Tally
from schemas.topics import IMAGES

FETCH_MS = 500


@dataclass
class Stretch:
    """One partition's part of the run, from what was committed on."""

    end: int
    next: int
    """Offset that is to be handed over next."""
    committed: int
    tally: Tally
    in_work: int = 0
    """Photographs handed over and not committed yet."""
    records: deque[ConsumerRecord] = field(default_factory=deque)

    @property
    def read_out(self) -> bool:
        """Whether nothing more is to be handed over."""
        return self.next >= self.end

    @property
    def skipped(self) -> int:
        """Offsets passed over that could be committed now."""
        return 0 if self.in_work else self.next - self.committed


class History:
    """Gives the records of all partitions held, in the order of their broker timestamps."""

    def __init__(self, consumer: AIOKafkaConsumer, run: Run) -> None:
        self._consumer = consumer
        self._run = run
        self.stretches: dict[int, Stretch] = {}

    def hold(self, partitions: set[int], progress: Progress) -> None:
        """Begin with these partitions, where they were left."""
        for partition in partitions:
            place = TopicPartition(IMAGES.name, partition)
            if partition not in self._run.start:
                self._consumer.pause(place)
                continue
            offset = progress.offsets.get(partition, self._run.start[partition])
            tally = progress.tallies.get(partition, Tally())
            self.stretches[partition] = Stretch(self._run.end[partition], offset, offset, tally)
            self._consumer.seek(place, offset)
            if offset >= self._run.end[partition]:
                self._consumer.pause(place)

    def release(self) -> None:
        """Let go of all partitions."""
        self.stretches = {}

    async def oldest(self) -> ConsumerRecord | None:
        """The next record, left where it is; None where all is read out, or Kafka has not given everything yet."""
        empty = [p for p, stretch in self.stretches.items() if not stretch.records and not stretch.read_out]
        if empty:
            await self._fill(empty)
        stretches = [stretch for stretch in self.stretches.values() if not stretch.read_out]
        if not stretches or not all(stretch.records for stretch in stretches):
            return None
        return min((stretch.records[0] for stretch in stretches), key=lambda record: record.timestamp)

    def take(self, record: ConsumerRecord) -> Stretch | None:
        """Take it; None where its partition was given to another worker meanwhile."""
        stretch = self.stretches.get(record.partition)
        if stretch is None or not stretch.records or stretch.records[0] is not record:
            return None
        stretch.records.popleft()
        stretch.next = record.offset + 1
        self._pause_if_read_out(record.partition)
        return stretch

    async def _fill(self, partitions: list[int]) -> None:
        places = [TopicPartition(IMAGES.name, partition) for partition in partitions]
        try:
            found = await self._consumer.getmany(*places, timeout_ms=FETCH_MS)
            positions = {place: await self._consumer.position(place) for place in places}
        except IllegalStateError:  # given to another worker meanwhile
            return
        for place in places:
            if stretch := self.stretches.get(place.partition):
                stretch.records.extend(record for record in found.get(place, ()) if record.offset < stretch.end)
                if not stretch.records and positions[place] >= stretch.end:
                    stretch.next = stretch.end  # retention took the rest
                self._pause_if_read_out(place.partition)

    def _pause_if_read_out(self, partition: int) -> None:
        if self.stretches[partition].read_out:
            self._consumer.pause(TopicPartition(IMAGES.name, partition))
