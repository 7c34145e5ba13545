"""The promise of bulk ingestion: each picture once, in its camera's order, whatever is killed in between."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.intake import Intake
from producer_api.ingestion.journal import Journal, locked
from producer_api.ingestion.log import Log
from producer_api.ingestion.pace import Pace
from producer_api.ingestion.publisher import Publisher
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import Source, open_source
from producer_api.ingestion.summary import Summary
from schemas.envelope import header, headers_of
from schemas.errors import LeafError
from schemas.kafka import reach
from schemas.settings import var_dir
from schemas.topics import IMAGES, PREDICTIONS

log = logging.getLogger(__name__)

TICK_S: Final = 0.2
LAST_FLUSH_S: Final = 10.0


class Ingestion:
    """Brings feeds into the images topic; running it again adds what is missing and nothing else.

    1. Every source is locked, and opened; the journal tells from which offsets on the topic may hold ids it does not
       know (at a source's first start: the log's end).
    2. `_catch_up` reads the ids from there to the log's end into the journal.
    3. Each feed's frames are read, prepared in threads and published in order, in a thread per feed; an id that is held
       already is counted, not sent. What can't be used is noted with its reason and passed over.
    4. Every few seconds `Publisher.checkpoint` notes ids and offsets together.
    5. At the end, on Ctrl-C and on SIGTERM, everything sent is confirmed and noted.

    Survives kill -9 at any moment (step 2 finds what was appended but not noted), a broker that is away (it waits for
    it; camera frames are dropped meanwhile and counted), a file moved to another folder with the same relative path,
    and a topic that was recreated or set back (the journal begins anew). Does not survive the loss of `var/ingest` and
    pictures that were sent by another machine: those are sent again, and the sink counts them once while it holds
    their results.
    """

    def __init__(self, settings: IngestSettings, feeds: Sequence[Feed], *, paced: bool, patient: bool) -> None:
        self._settings, self._feeds, self._paced, self._patient = settings, feeds, paced, patient
        self._directory: Path = var_dir() / "ingest"
        self._hashes = {feed.hash for feed in feeds}
        self.stop = threading.Event()
        self.summary = Summary()
        self.pace: Pace | None = None
        self.total: int | None = None

    def run(self, tick: Callable[[], None]) -> None:
        """Return when all feeds have ended, or `stop` was set. `tick` is called some times a second.

        Raises ConfigurationError or BrokerUnavailableError, with everything confirmed noted.
        """
        with ExitStack() as stack:
            for feed in self._feeds:
                stack.enter_context(locked(self._directory, feed.hash, feed.title))
            sources = [open_source(feed, self._settings, self.stop, patient=self._patient) for feed in self._feeds]
            self.total = _total(self._feeds, sources)
            reach(self._settings.kafka)
            images = Log(self._settings, IMAGES)
            journal = Journal(self._directory, images.id())
            stack.callback(journal.close)
            self._catch_up(images, journal)
            publisher = Publisher(self._settings, images, journal, self.summary)
            stack.callback(publisher.close)
            if self._paced:
                self.pace = stack.enter_context(Pace(Log(self._settings, PREDICTIONS), self._settings))
            self._take_in(publisher, sources, tick)

    def _catch_up(self, images: Log, journal: Journal) -> None:
        starts, ends = images.starts(), images.ends()
        known = [journal.read_to(source) for source in self._hashes]
        embedded = self._settings.mode == "embedded"  # its topic has no id of its own, and is lost with every stop
        if embedded or any(offsets.get(p, 0) > end for offsets in known for p, end in ends.items()):
            log.info("reading all of the images topic: what the journal knew is not there any more")
            journal.begin_anew()
            known = [starts]
        begin = {p: max(low, min(offsets.get(p, ends[p]) for offsets in known)) for p, low in starts.items()}
        ids = (header(headers_of(message), "ce_id") for message in images.read(begin, ends))
        journal.note(ids, self._hashes, ends)

    def _take_in(self, publisher: Publisher, sources: Sequence[Source], tick: Callable[[], None]) -> None:
        with ThreadPoolExecutor(len(sources), "feed") as pool:
            running = [
                pool.submit(self._intake(feed, publisher).run, source)
                for feed, source in zip(self._feeds, sources, strict=True)
            ]
            try:
                self._attend(publisher, running, tick)
            except LeafError:
                self.stop.set()
                raise
        self._finish(publisher, tick)
        for feed in running:
            feed.result()

    def _intake(self, feed: Feed, publisher: Publisher) -> Intake:
        alone = len(self._feeds) == 1
        return Intake(feed, self._settings, publisher, self.pace, self.summary, self.stop, alone=alone)

    def _attend(self, publisher: Publisher, running: Sequence[Future[None]], tick: Callable[[], None]) -> None:
        next_note = time.monotonic() + self._settings.checkpoint_seconds
        pending = set(running)
        while pending:
            done, pending = wait(pending, TICK_S)
            if any(feed.exception() for feed in done):
                self.stop.set()
            tick()
            if time.monotonic() > next_note:
                publisher.checkpoint(self._hashes, TICK_S)
                next_note = time.monotonic() + self._settings.checkpoint_seconds

    def _finish(self, publisher: Publisher, tick: Callable[[], None]) -> None:
        """Wait until all is confirmed; after Ctrl-C only for a while."""
        patience = LAST_FLUSH_S
        while not publisher.checkpoint(self._hashes, TICK_S):
            tick()
            patience -= TICK_S if self.stop.is_set() else 0
            if patience <= 0:
                log.warning("Kafka has not confirmed %d events; run the same command again", publisher.unconfirmed)
                return


def _total(feeds: Sequence[Feed], sources: Sequence[Source]) -> int | None:
    total = 0
    for feed, source in zip(feeds, sources, strict=True):
        known = [number for number in (feed.limit, source.total) if number is not None]
        if not known:
            return None
        total += min(known)
    return total
