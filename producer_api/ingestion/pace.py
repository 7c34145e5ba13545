"""How fast an ingest may go so that growers' uploads do not wait for it."""

import threading
import time
from typing import Final, Self

from confluent_kafka import KafkaException

from producer_api.ingestion.log import Log
from producer_api.ingestion.settings import IngestSettings
from schemas.envelope import header, headers_of

FIRST_WINDOW: Final = 16.0


class Pace:
    """A window of unanswered pictures that adapts to how long an answer takes, as LEDBAT++ does for packets.

    The ingest reads the predictions topic, so it knows which of its own pictures wait: that is its share of the worker
    group's lag, exact and fresh, where committed offsets are seconds old. An answer that took not more than the target
    longer than the fastest one widens the window by 1/window; a later one narrows it in proportion to the excess, by
    half in a round trip at most (draft-irtf-iccrg-ledbat-plus-plus, 4.2). The delay is everybody's: when uploads or
    another ingest fill the queue, this one withdraws, down to a single picture at a time.
    """

    def __init__(self, predictions: Log, settings: IngestSettings) -> None:
        self._log = predictions
        self._target = settings.target_delay_ms / 1000
        self._max = float(settings.max_unanswered)
        self._window = min(FIRST_WINDOW, self._max)
        self._fastest = float("inf")
        self._sent_at: dict[str, float] = {}
        self._room = threading.Condition()
        self._stopping = threading.Event()
        self._reader = threading.Thread(target=self._read, name="pace", daemon=True)

    @property
    def unanswered(self) -> int:
        """Pictures sent and not diagnosed yet."""
        return len(self._sent_at)

    def __enter__(self) -> Self:
        """Follow the predictions topic from here on: before the first picture is sent."""
        self._consumer = self._log.consumer(self._log.ends())
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop following."""
        self._stopping.set()
        self._reader.join()

    def wait(self, seconds: float) -> bool:
        """Whether there is room for one more, waiting for it up to so long."""
        with self._room:
            return self._room.wait_for(self._has_room, seconds)

    def sent(self, image_id: str) -> None:
        """Count a picture as on its way."""
        with self._room:
            self._sent_at[image_id] = time.monotonic()

    def forget(self, image_id: str) -> None:
        """Take back `sent`."""
        with self._room:
            self._sent_at.pop(image_id, None)

    def answered(self, image_id: str) -> None:
        """Count its prediction, and adapt the window."""
        with self._room:
            sent_at = self._sent_at.pop(image_id, None)
            if sent_at is None:
                return
            delay = time.monotonic() - sent_at
            self._fastest = min(self._fastest, delay)
            excess = (delay - self._fastest) / self._target - 1
            gain = 1.0 if excess <= 0 else max(1 - self._window * excess, -self._window / 2)
            self._window = min(max(self._window + gain / self._window, 1.0), self._max)
            self._room.notify_all()

    def _has_room(self) -> bool:
        return len(self._sent_at) < self._window

    def _read(self) -> None:
        while not self._stopping.is_set():
            try:
                message = self._consumer.poll(0.2)  # `consume` would wait for company
            except KafkaException:
                continue
            if message and not message.error():
                self.answered(header(headers_of(message), "ce_imageid"))
        self._consumer.close()
