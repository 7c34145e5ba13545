"""Into the images topic, confirmed, and noted in the journal."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, Producer

from producer_api.ingestion.journal import Journal
from producer_api.ingestion.log import Log, client_config
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.summary import Summary
from schemas.errors import BrokerUnavailableError, EventTooLargeError
from schemas.image import ImageEvent
from schemas.topics import IMAGES, PARTITIONER

QUEUE_KIB: Final = 64 * 1024
BATCH_BYTES: Final = 1_000_000
"""librdkafka's own; a topic may take less."""

OnRefused = Callable[[EventTooLargeError], None]


class _Sent(NamedTuple):
    """An event, and who hears if it is too large."""

    event: ImageEvent
    on_refused: OnRefused


class Publisher:
    """One idempotent producer (acks=all) for all feeds of an ingest. It never gives up on a record by itself.

    `checkpoint` holds the feeds for a moment, lets everything on its way be confirmed, and notes the new ids together
    with the log's end: below it no id of ours is unknown. What a kill leaves unnoted is read back from there.

    An event that is larger than the topic takes is refused alone. Where an operator changes that while we run, a whole
    batch may come back: `checkpoint` sends each of its events again by itself, those of a camera after later ones.
    """

    def __init__(self, settings: IngestSettings, log: Log, journal: Journal, summary: Summary) -> None:
        self._takes = log.takes()
        self._producer = Producer(
            client_config(settings)
            | {
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": PARTITIONER,
                "linger.ms": 5,
                "batch.size": min(BATCH_BYTES, self._takes),
                "message.timeout.ms": 0,
                "queue.buffering.max.kbytes": QUEUE_KIB,
                "error_cb": self._on_error,
            }
        )
        self._log, self._journal, self._summary = log, journal, summary
        self._turn = threading.Lock()
        self._unnoted: dict[str, bool] = {}
        """Id to whether it is confirmed, until the journal has it."""
        self._refused: list[_Sent] = []
        self._error: KafkaError | None = None
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="producer-poll", daemon=True)
        self._poller.start()

    @property
    def unconfirmed(self) -> int:
        """Events that the broker has not acknowledged yet."""
        return sum(not confirmed for _, confirmed in list(self._unnoted.items()))

    def holds(self, image_id: str) -> bool:
        """Whether this image is in the topic, or on its way there."""
        return image_id in self._unnoted or self._journal.holds(image_id)

    def send(self, event: ImageEvent, *, wait: bool, on_refused: OnRefused) -> bool:
        """Hand an event over. Where the producer's memory is full: wait, or answer False.

        `on_refused` hears, at once or later and from any thread, if the topic does not take an event of this size.
        Raises BrokerUnavailableError once Kafka has refused for good.
        """
        if not self._fits(event):
            on_refused(self._too_large(event))
            return True
        while True:
            self._raise_refusal()
            try:
                with self._turn:
                    self._produce(event, on_refused)
                    return True
            except BufferError:
                del self._unnoted[event.id]
                if not wait:
                    return False
                time.sleep(0.05)

    def checkpoint(self, sources: set[str], seconds: float) -> bool:
        """Note what is confirmed. If that is all, within `seconds`, also move the sources' offsets, and answer True.

        Raises BrokerUnavailableError once Kafka has refused for good.
        """
        with self._turn:
            complete = self._producer.flush(seconds) == 0 and self._send_refused(seconds)
            try:
                ends = self._log.ends() if complete else None
            except BrokerUnavailableError:
                ends = None
            confirmed = [image_id for image_id, done in list(self._unnoted.items()) if done]
            self._journal.note(confirmed, sources if ends else (), ends)
            for image_id in confirmed:
                del self._unnoted[image_id]
        self._raise_refusal()
        return ends is not None

    def close(self) -> None:
        """Stop the producer; whatever is not confirmed by now may or may not arrive."""
        self._stopping.set()
        self._poller.join()
        self._producer.purge()
        self._producer.flush(1)

    def _produce(self, event: ImageEvent, on_refused: OnRefused) -> None:
        envelope = event.envelope()
        self._unnoted[event.id] = False
        self._producer.produce(
            IMAGES.name,
            envelope.value,
            envelope.key,
            headers=envelope.headers(),
            on_delivery=lambda error, _message: self._delivered(_Sent(event, on_refused), error),
        )

    def _send_refused(self, seconds: float) -> bool:
        """Send what came back as too large again, one by one; whether all of that is confirmed."""
        if self._refused:
            self._takes = self._log.takes()
        for _ in range(len(self._refused)):
            event, on_refused = self._refused.pop(0)
            if event.envelope().record_bytes > self._takes:
                del self._unnoted[event.id]
                on_refused(self._too_large(event))
                continue
            self._produce(event, on_refused)
            if self._producer.flush(seconds):
                return False
        return not self._refused

    def _fits(self, event: ImageEvent) -> bool:
        """Whether the topic takes it; asked again before anything is refused."""
        size = event.envelope().record_bytes
        if size > self._takes:
            self._takes = self._log.takes()
        return size <= self._takes

    def _too_large(self, event: ImageEvent) -> EventTooLargeError:
        return EventTooLargeError(IMAGES.name, event.envelope().record_bytes, self._takes)

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(0.1)

    def _delivered(self, sent: _Sent, error: KafkaError | None) -> None:
        if error is None:
            self._unnoted[sent.event.id] = True
            self._summary.count("sent")
        elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            self._refused.append(sent)
        elif not self._stopping.is_set():
            self._error = error

    def _on_error(self, error: Any) -> None:
        if error.fatal():
            self._error = error

    def _raise_refusal(self) -> None:
        if self._error:
            msg = f"Kafka refuses the pictures: {self._error.str()}"
            raise BrokerUnavailableError(msg, "Mend that and run the same command again: it goes on where it stopped.")
