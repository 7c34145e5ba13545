import pytest

from producer_api.ingestion import pace as module
from producer_api.ingestion.pace import Pace
from producer_api.ingestion.settings import IngestSettings


class Workers:
    """One worker with a queue: an answer takes as long as what is before it."""

    def __init__(self, monkeypatch, per_second, **settings):
        self.now, self.free_at, self.per_second, self.number = 0.0, 0.0, per_second, 0
        self.queue = []
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)
        self.pace = Pace(None, IngestSettings(**settings))

    def enqueue(self, image_id):
        self.free_at = max(self.free_at, self.now) + 1 / self.per_second
        self.queue.append((self.free_at, image_id))

    def run(self, seconds, uploads_per_second=0):
        """Let the ingest send whenever there is room; the most that was waiting in the second half."""
        end, next_upload, waited = self.now + seconds, self.now, []
        begin = self.now
        while self.now < end:
            while self.pace.wait(0):
                self.number += 1
                self.pace.sent(str(self.number))
                self.enqueue(str(self.number))
            if uploads_per_second and self.now >= next_upload:
                self.enqueue("upload")
                next_upload += 1 / uploads_per_second
            if self.now > begin + seconds / 2:
                waited.append(self.free_at - self.now)
            if self.queue and self.queue[0][0] <= self.now + 0.002:
                self.now, image_id = self.queue.pop(0)
                self.pace.answered(image_id)
            else:
                self.now += 0.002
        return max(waited)


@pytest.mark.parametrize("per_second", [20, 400, 2000])
def test_the_queue_stays_near_the_target_and_the_workers_busy(monkeypatch, per_second):
    workers = Workers(monkeypatch, per_second, target_delay_ms=100)
    worst = workers.run(20)
    assert worst < 0.3
    assert workers.number > 0.9 * 20 * per_second


def test_it_withdraws_while_uploads_fill_the_queue(monkeypatch):
    workers = Workers(monkeypatch, 200, target_delay_ms=100)
    workers.run(10)
    before = workers.number
    workers.run(10, uploads_per_second=190)
    assert workers.number - before < 0.2 * 10 * 200


def test_without_workers_no_more_than_a_window_is_sent(monkeypatch):
    workers = Workers(monkeypatch, 0.0001)
    workers.run(5)
    assert workers.pace.unanswered == 16


def test_the_window_has_a_ceiling(monkeypatch):
    workers = Workers(monkeypatch, 100_000, max_unanswered=24)
    workers.run(0.5)
    assert workers.pace.unanswered <= 24


def test_what_was_not_sent_after_all_takes_no_room(monkeypatch):
    pace = Workers(monkeypatch, 1).pace
    pace.sent("a")
    pace.forget("a")
    pace.answered("never sent")
    assert pace.unanswered == 0
