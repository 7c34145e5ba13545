"""The topic `leaf.runs`, and what each run's consumer group has committed."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any, Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from producer_api import metrics
from producer_api.background import Background
from producer_api.follower import Follower
from producer_api.outage import Outage
from schemas.envelope import headers_of
from schemas.errors import BrokerUnavailableError, EventError
from schemas.replay import Progress, Run
from schemas.topics import IMAGES, RUNS

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 1
AT_ONCE: Final = 50
"""Groups asked for together."""


class RunLog(Background):
    """Every run and how far it is; writes nothing: `leaf replay` defines and computes runs.

    1. The topic is followed, so that a run is known some milliseconds after it was defined.
    2. Every second the groups of the runs that are not finished are asked for their offsets; no request waits for that.
    3. `progress` answers from memory.

    Survives: the broker away (what was known stands), records that are no runs (logged, counted and skipped). A run
    that was once finished is not asked for again, also when the broker forgets its group.
    """

    def __init__(self, bootstrap: str, seconds: float) -> None:
        self._client = {"bootstrap.servers": bootstrap, "client.id": "leaf-runs", "log_level": 0}
        self._seconds = seconds
        self._follower = Follower(self._client, RUNS.name, seconds, self._take, self._restart)
        self._outage = Outage(log, "reading how far the replays are")
        self._runs: dict[str, Run] = {}
        self._progress: dict[str, Progress] = {}

    def start(self) -> None:
        """Begin to follow the topic and to ask for the groups' offsets."""
        self._follower.start()
        super().start()

    async def stop(self) -> None:
        """End, and disconnect."""
        await super().stop()
        await asyncio.to_thread(self._follower.close)

    def progress(self) -> dict[str, Progress]:
        """How far every run is, the newest first. Raises BrokerUnavailableError before they were ever read."""
        self._follower.known()
        newest = sorted(self._runs.values(), key=lambda run: run.defined_at, reverse=True)
        return {run.name: self._progress.get(run.name) or Progress(run, {}, {}) for run in newest}

    async def _run(self) -> None:
        admin = AdminClient(self._client)
        while True:
            unfinished = [each.run for each in await asyncio.to_thread(self._unfinished)]
            for at in range(0, len(unfinished), AT_ONCE):
                await asyncio.to_thread(self._ask, admin, unfinished[at : at + AT_ONCE])
            await asyncio.sleep(EVERY_SECONDS)

    def _unfinished(self) -> list[Progress]:
        try:
            return [each for each in self.progress().values() if not each.finished]
        except BrokerUnavailableError as error:
            self._outage.began(error)
            return []

    def _ask(self, admin: AdminClient, runs: Iterable[Run]) -> None:
        asked = [(run, self._request(admin, run)) for run in runs]
        try:
            for run, future in asked:
                self._progress[run.name] = Progress.of(run, future.result().topic_partitions)
        except KafkaException as error:
            self._outage.began(error.args[0].str())
        else:
            self._outage.ended()

    def _request(self, admin: AdminClient, run: Run) -> Any:
        places = [TopicPartition(IMAGES.name, partition) for partition in run.start]
        request = ConsumerGroupTopicPartitions(run.group, places)
        return admin.list_consumer_group_offsets([request], request_timeout=self._seconds)[run.group]

    def _restart(self) -> None:
        self._runs, self._progress = {}, {}

    def _take(self, message: Message) -> None:
        try:
            run = Run.read(message.key(), message.value(), headers_of(message))
        except EventError as error:
            metrics.SKIPPED.labels(RUNS.name).inc()
            log.warning("record %d of %s is skipped: %s", message.offset(), RUNS.name, error)
        else:
            self._runs = {run.name: run} | self._runs
