"""Which runs there are: the compacted topic `leaf.runs`."""

from typing import Final

from confluent_kafka import Producer

from schemas.errors import BrokerUnavailableError, ConfigurationError, LeafError
from schemas.replay import Run, read_runs
from schemas.topics import RUNS
from stream_workers.replay.images import REMEDY, TIMEOUT_S

_PARTITION: Final = 0


class RunConflictError(LeafError):
    """The name belongs to another run."""

    status = 409
    kind = "run-conflict"
    title = "That run is another one"


class Runs:
    """Definitions by name; the first record of a name counts, whatever comes later."""

    def __init__(self, bootstrap: str) -> None:
        self._config = {"bootstrap.servers": bootstrap, "client.id": "leaf-replay", "log_level": 0}

    def all(self) -> dict[str, Run]:
        """Name to run. Raises BrokerUnavailableError."""
        return read_runs(self._config, TIMEOUT_S)

    def define(self, run: Run) -> Run:
        """Store a run under a name that is free. Raises RunConflictError where another was faster."""
        record, failures = run.envelope(), []
        producer = Producer(self._config | {"acks": "all", "message.timeout.ms": TIMEOUT_S * 1000})
        producer.produce(
            RUNS.name,
            record.value,
            record.key,
            partition=_PARTITION,
            headers=record.headers(),
            on_delivery=lambda error, _message: failures.append(error),
        )
        producer.flush(TIMEOUT_S + 1)
        if not failures or failures[0] is not None:  # a KafkaError compared with None leaves an exception behind
            msg = f"the run {run.name} is not confirmed: {failures[0].str() if failures else 'no answer'}"
            raise BrokerUnavailableError(msg, REMEDY)
        counts = self.all()[run.name]
        if counts != run:
            producer.produce(
                RUNS.name, counts.envelope().value, run.name, partition=_PARTITION, headers=counts.envelope().headers()
            )
            producer.flush(TIMEOUT_S)  # compaction keeps the last record
            msg = f"the run {run.name} was defined otherwise at the same moment"
            raise RunConflictError(msg, "Choose another name.")
        return counts


def agree(run: Run, asked_from: str | None, asked_to: str | None, cameras: tuple[str, ...], model: str | None) -> None:
    """Whether a run of this name may be joined by who asked for this; asking for nothing joins whatever it is.

    Raises RunConflictError.
    """
    asked = (asked_from, asked_to, cameras, model)
    if any(asked) and asked != (run.asked_from, run.asked_to, run.cameras, run.model):
        told = f"from {run.asked_from or 'the oldest'} to {run.asked_to or 'the newest'}"
        of = f" of {', '.join(run.cameras)}" if run.cameras else ""
        msg = f"{run.name} is the run {told}{of} with {run.model or 'the models then in force'}"
        raise RunConflictError(msg, "Choose another name, or give only --run to go on with this one.")


def own_topic(run: Run, topic_id: str) -> None:
    """Raises ConfigurationError where the run belongs to a topic that was deleted."""
    if run.topic_id != topic_id:
        msg = f"the run {run.name} belongs to an images topic that was deleted since"
        raise ConfigurationError(msg, "Choose another name.")
