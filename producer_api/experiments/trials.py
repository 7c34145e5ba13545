"""Asking the workers whether they can load what an experiment names, before it takes effect."""

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from producer_api.errors import SilentWorkersError
from schemas.envelope import headers_of
from schemas.errors import BrokerUnavailableError, EventError
from schemas.topics import EXPERIMENTS
from schemas.trial import Trial, TrialAnswer, read_record

log = logging.getLogger(__name__)

SECONDS: Final = 30.0
"""How long the workers may take: they load what they do not hold yet."""
EMBEDDED_SECONDS: Final = 10.0
_POLL_S: Final = 1.0
_PARTITION: Final = 0


class Trials:
    """Every worker tries every model, and says why it can't serve one.

    1. The consumer group says how many workers there are; without any, there is nobody to ask.
    2. The question is appended to `leaf.experiments`, which every worker follows.
    3. The answers are read from there, until all have answered or one refuses a model. Workers that went away
       meanwhile are not waited for.

    The embedded broker does not describe groups: there one answer is enough, and silence is no obstacle.
    """

    def __init__(self, bootstrap: str, group: str, *, embedded: bool = False, seconds: float = SECONDS) -> None:
        self._client = {"bootstrap.servers": bootstrap, "client.id": "leaf-experiments", "log_level": 0}
        self._group = group
        self._embedded = embedded
        self._seconds = min(seconds, EMBEDDED_SECONDS) if embedded else seconds

    def refusals(self, models: Sequence[str]) -> dict[str, str]:
        """Model to the workers' reason for refusing it; empty where they can load all of these.

        Raises SilentWorkersError where there are workers and none answers, BrokerUnavailableError.
        """
        try:
            return self._ask(models)
        except KafkaException as error:
            msg = f"the workers can't be asked: {error.args[0].str()}"
            raise BrokerUnavailableError(msg, "Nothing was changed. Try again in a moment.") from error

    def _ask(self, models: Sequence[str]) -> dict[str, str]:
        admin = AdminClient(self._client)
        if not self._workers(admin):
            return {}
        trial = Trial(id=uuid.uuid4().hex, models=tuple(dict.fromkeys(models)), asked_at=datetime.now(UTC))
        answered: set[str] = set()
        deadline = time.monotonic() + self._seconds
        for answer in self._answers(trial):
            if answer and answer.refused:
                return answer.refused
            if answer:
                answered.add(answer.worker)
            if answered and len(answered) >= self._workers(admin):
                return {}
            if time.monotonic() > deadline:
                break
        if not answered and not self._embedded:
            msg = f"no worker said in {self._seconds:g} s whether it can load {', '.join(trial.models)}"
            raise SilentWorkersError(msg, "Nothing was changed. Try again; `leaf doctor` says what is wrong.")
        log.warning("not all workers said whether they can load %s", ", ".join(trial.models))
        return {}

    def _workers(self, admin: AdminClient) -> int:
        if self._embedded:
            return 1
        # A broker that has no group yet keeps who asks for one waiting.
        groups = admin.list_consumer_groups(request_timeout=self._seconds).result()
        for error in groups.errors:
            raise error
        if self._group not in {group.group_id for group in groups.valid}:
            return 0
        described = admin.describe_consumer_groups([self._group], request_timeout=self._seconds)
        return len(described[self._group].result().members)

    def _answers(self, trial: Trial) -> Iterator[TrialAnswer | None]:
        """Ask, then what comes, for ever; None whenever a second passes without an answer."""
        consumer = Consumer(
            self._client | {"group.id": "leaf-experiments", "enable.auto.commit": False, "fetch.wait.max.ms": 50}
        )
        try:
            place = TopicPartition(EXPERIMENTS.name, _PARTITION)
            place.offset = consumer.get_watermark_offsets(place, timeout=self._seconds)[1]
            consumer.assign([place])
            self._append(trial)
            while True:
                message = consumer.poll(_POLL_S)
                if message is None or message.error():
                    yield None
                    continue
                try:
                    record = read_record(message.key(), message.value(), headers_of(message))
                except EventError:
                    continue  # whoever reads the definitions says so
                if isinstance(record, TrialAnswer) and record.trial == trial.id:
                    yield record
        finally:
            consumer.close()

    def _append(self, trial: Trial) -> None:
        errors: list[KafkaError | None] = []
        record = trial.envelope()
        producer = Producer({**self._client, "message.timeout.ms": int(self._seconds * 1000)})
        producer.produce(
            EXPERIMENTS.name,
            key=record.key,
            value=record.value,
            headers=record.headers(),
            partition=_PARTITION,
            on_delivery=lambda error, _message: errors.append(error),
        )
        producer.flush(self._seconds)
        error = errors[0] if errors else KafkaError(KafkaError._TIMED_OUT)  # noqa: SLF001  its public name
        if error is not None:
            raise KafkaException(error)
