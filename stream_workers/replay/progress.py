"""How far a run is: what its workers committed."""

from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.replay import Run, Tally
from schemas.topics import IMAGES
from stream_workers.replay.images import TIMEOUT_S, answering, patiently


@dataclass(frozen=True)
class Progress:
    """Partition to what is committed of it."""

    run: Run
    offsets: dict[int, int]
    tallies: dict[int, Tally]

    @property
    def passed(self) -> int:
        """Offsets that are behind the run, with those of other cameras and those that retention took."""
        return sum(min(offset, self.run.end[p]) - self.run.start[p] for p, offset in self.offsets.items())

    @property
    def answered(self) -> int:
        """Images with an answer."""
        return sum(tally.answered for tally in self.tallies.values())

    @property
    def failed(self) -> int:
        """Images that failed."""
        return sum(tally.failed for tally in self.tallies.values())

    @property
    def finished(self) -> bool:
        """Whether every partition is at its end."""
        return self.passed >= self.run.length


class Group:
    """The committed offsets of a run's consumer group, and the tallies in their metadata."""

    def __init__(self, bootstrap: str, run: Run) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "client.id": "leaf-replay", "log_level": 0})
        self._run = run

    @patiently
    def progress(self) -> Progress:
        """Ask the broker. Raises BrokerUnavailableError."""
        wanted = [TopicPartition(IMAGES.name, partition) for partition in self._run.start]
        request = ConsumerGroupTopicPartitions(self._run.group, wanted)
        with answering():
            answers = self._admin.list_consumer_group_offsets([request], request_timeout=TIMEOUT_S)
            places = answers[self._run.group].result().topic_partitions
        committed = {place.partition: place for place in places if place.offset >= 0}
        return Progress(
            self._run,
            {partition: place.offset for partition, place in committed.items()},
            {partition: Tally.read(place.metadata) for partition, place in committed.items()},
        )
