"""The topic `leaf.experiments`, followed and written to."""

import logging

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from producer_api import metrics
from producer_api.follower import Follower
from schemas.envelope import headers_of
from schemas.errors import BrokerUnavailableError, EventError, EventTooLargeError
from schemas.experiment import Experiment
from schemas.timeline import Timeline
from schemas.topics import EXPERIMENTS
from schemas.trial import read_record

log = logging.getLogger(__name__)


class ExperimentLog:
    """Every definition in the topic; may be used from several threads.

    1. `known` answers at once with what the topic held some milliseconds ago: for whoever only looks.
    2. `read` asks where the topic ends now, and returns once all records before that are in the timeline: for whoever
       changes something by it.
    3. `append` returns once the broker has acknowledged the record with all in-sync replicas.

    Survives: the broker away (`known` goes on with what was read; BrokerUnavailableError from the others, and the next
    call goes on), the topic made anew (read from its start), records that are no definitions (logged, counted and
    skipped).
    """

    def __init__(self, bootstrap: str, seconds: float) -> None:
        self._client = {"bootstrap.servers": bootstrap, "client.id": "leaf-experiments", "log_level": 0}
        self._seconds = seconds
        self._follower = Follower(self._client, EXPERIMENTS.name, seconds, self._take, self._restart)
        self._timeline = Timeline()

    def start(self) -> None:
        """Begin to follow the topic; the first question does so too."""
        self._follower.start()

    def close(self) -> None:
        """Disconnect."""
        self._follower.close()

    def known(self) -> Timeline:
        """All definitions up to some milliseconds ago. Raises BrokerUnavailableError before they were ever read."""
        self._follower.known()
        return self._timeline

    def read(self) -> Timeline:
        """All definitions up to now. Raises BrokerUnavailableError."""
        self._follower.reach_end()
        return self._timeline

    def append(self, experiment: Experiment) -> None:
        """Store a definition. Raises BrokerUnavailableError where it is not confirmed, and EventTooLargeError."""
        outcome: list[KafkaError | None] = []
        # Not idempotent, which would take another half second: a duplicate of a definition changes nothing.
        producer = Producer({**self._client, "message.timeout.ms": int(self._seconds * 1000)})
        record = experiment.envelope()
        try:
            producer.produce(
                EXPERIMENTS.name,
                key=record.key,
                value=record.value,
                headers=record.headers(),
                partition=0,  # the embedded broker gives every topic several
                on_delivery=lambda error, _message: outcome.append(error),
            )
        except KafkaException as refused:  # larger than the client takes
            outcome.append(refused.args[0])
        producer.flush(self._seconds + 1)
        error = outcome[0] if outcome else KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001  its public name
        if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            raise EventTooLargeError(EXPERIMENTS.name, record.record_bytes)
        if error is not None:
            msg = f"{experiment.id} is not confirmed and may or may not be in force: {error.str()}"
            raise BrokerUnavailableError(msg, "Look with `leaf experiments show`, then try again.")

    def _restart(self) -> None:
        self._timeline = Timeline()

    def _take(self, message: Message) -> None:
        try:
            record = read_record(message.key(), message.value(), headers_of(message))
        except EventError as problem:
            metrics.SKIPPED.labels(EXPERIMENTS.name).inc()
            log.warning("record %d of %s is skipped: %s", message.offset(), EXPERIMENTS.name, problem)
            return
        if isinstance(record, Experiment):
            self._timeline = self._timeline.with_(record)
