"""Into the images topic, confirmed, and noted in the journal."""

import threading
import time
from typing import Any, Final

from confluent_kafka import KafkaError, Producer

from producer_api.ingestion.journal import Journal
from producer_api.ingestion.log import Log, client_config
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.summary import Summary
from schemas.errors import BrokerUnavailableError
from schemas.image import ImageEvent
from schemas.topics import IMAGES, PARTITIONER

QUEUE_KIB: Final = 64 * 1024


class Publisher:
    """One idempotent producer (acks=all) for all feeds of an ingest. It never gives up on a record by itself.

    `checkpoint` holds the feeds for a moment, lets everything on its way be confirmed, and notes the new ids together
    with the log's end: below it no id of ours is unknown. What a kill leaves unnoted is read back from there.
    """

    def __init__(self, settings: IngestSettings, log: Log, journal: Journal, summary: Summary) -> None:
        self._producer = Producer(
            client_config(settings)
            | {
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": PARTITIONER,
                "linger.ms": 5,
                "message.timeout.ms": 0,
                "queue.buffering.max.kbytes": QUEUE_KIB,
                "error_cb": self._on_error,
            }
        )
        self._log, self._journal, self._summary = log, journal, summary
        self._turn = threading.Lock()
        self._unnoted: dict[str, bool] = {}
        """Id to whether it is confirmed, until the journal has it."""
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

    def send(self, event: ImageEvent, *, wait: bool) -> bool:
        """Hand an event over. Where the producer's memory is full: wait, or answer False.

        Raises BrokerUnavailableError once Kafka has refused for good.
        """
        envelope = event.envelope()
        headers = envelope.headers()
        while True:
            self._raise_refusal()
            try:
                with self._turn:
                    self._unnoted[event.id] = False
                    self._producer.produce(
                        IMAGES.name,
                        envelope.value,
                        envelope.key,
                        headers=headers,
                        on_delivery=lambda error, _message: self._delivered(event.id, error),
                    )
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
            complete = self._producer.flush(seconds) == 0
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

    def _poll(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(0.1)

    def _delivered(self, image_id: str, error: KafkaError | None) -> None:
        if error is None:
            self._unnoted[image_id] = True
            self._summary.count("sent")
        elif not self._stopping.is_set():
            self._error = error

    def _on_error(self, error: Any) -> None:
        if error.fatal():
            self._error = error

    def _raise_refusal(self) -> None:
        if self._error:
            msg = f"Kafka refuses the pictures: {self._error.str()}"
            raise BrokerUnavailableError(msg, "Mend that and run the same command again: it goes on where it stopped.")
