"""How far a run is: what its workers committed."""

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.replay import Progress, Run
from schemas.topics import IMAGES
from stream_workers.replay.images import TIMEOUT_S, answering, patiently


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
            return Progress.of(self._run, answers[self._run.group].result().topic_partitions)
