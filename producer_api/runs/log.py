"""The topic `leaf.runs`, and what each run's consumer group has committed."""

from collections.abc import Iterable
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.errors import BrokerUnavailableError
from schemas.replay import Progress, Run, read_runs
from schemas.topics import IMAGES


class RunLog:
    """Reads, and writes nothing: `leaf replay` defines and computes runs. Raises BrokerUnavailableError."""

    def __init__(self, bootstrap: str, seconds: float) -> None:
        self._client = {"bootstrap.servers": bootstrap, "client.id": "leaf-runs", "log_level": 0}
        self._seconds = seconds

    def all(self) -> dict[str, Run]:
        """Every run by name, the newest first."""
        found = read_runs(self._client, self._seconds)
        return dict(sorted(found.items(), key=lambda item: item[1].defined_at, reverse=True))

    def progress(self, runs: Iterable[Run]) -> dict[str, Progress]:
        """How far these are, by name."""
        admin = AdminClient(self._client)
        asked = [(run, self._ask(admin, run)) for run in runs]
        try:
            return {run.name: Progress.of(run, future.result().topic_partitions) for run, future in asked}
        except KafkaException as error:
            msg = f"how far the runs are can't be read: {error.args[0].str()}"
            raise BrokerUnavailableError(msg, "Try again in a moment; `leaf doctor` says what is wrong.") from error

    def _ask(self, admin: AdminClient, run: Run) -> Any:
        places = [TopicPartition(IMAGES.name, partition) for partition in run.start]
        request = ConsumerGroupTopicPartitions(run.group, places)
        return admin.list_consumer_group_offsets([request], request_timeout=self._seconds)[run.group]
