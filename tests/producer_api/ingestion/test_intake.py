import threading
from datetime import UTC, datetime, timedelta

from photographs import picture

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Frame
from producer_api.ingestion.intake import Intake
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import Source
from producer_api.ingestion.summary import Summary
from schemas.errors import TruncatedImageError

SEVERAL = {"alone": False}


class Publisher:
    """Holds what it is sent, once it has refused so many."""

    def __init__(self, refuses=0):
        self.sent, self._refuses = [], refuses

    def holds(self, image_id):
        return image_id in self.sent

    def send(self, event, *, wait, on_refused):
        self._refuses -= 1
        if self._refuses < 0:
            self.sent.append(event.id)
        return self._refuses < 0


def take_in(source, publisher, summary, camera, *, named=None, **options):
    feed = Feed.of(source=f"http://user:secret@{camera}/", camera=camera, **options)
    Intake(feed, IngestSettings(), publisher, None, summary, threading.Event(), **(named or {})).run(source)


def frames(load, names):
    for number, name in enumerate(names):
        taken = datetime(2026, 7, 1, tzinfo=UTC) + timedelta(seconds=number)
        yield Frame(name=name, camera="roof", load=load, captured_at=taken, digest=b"")


def test_a_still_scene_whose_first_frame_was_dropped_is_sent_once():
    publisher, summary = Publisher(refuses=1), Summary()
    take_in(Source(frames(lambda: picture(1), "abcde"), live=True), publisher, summary, "roof", skip_similar=4)
    assert (summary["dropped"], len(publisher.sent), summary["skipped_similar"]) == (1, 1, 3)


def test_of_several_feeds_a_good_picture_hides_no_bad_one_of_the_same_name():
    summary = Summary()
    take_in(Source(frames(lambda: b"junk", ["1.jpg"])), Publisher(), summary, "roof", named=SEVERAL)
    take_in(Source(frames(lambda: picture(1), ["1.jpg"])), Publisher(), summary, "door", named=SEVERAL)
    assert [bad["name"] for bad in summary.bad_files] == ["roof (http://roof/): 1.jpg"]


def test_a_cameras_faulty_frames_are_counted_not_kept(caplog):
    summary = Summary()

    def broken():
        msg = "it is damaged"
        raise TruncatedImageError(msg)

    source = Source(frames(broken, map(str, range(20))), live=True)
    take_in(source, Publisher(), summary, "roof")
    assert summary.bad_files == [
        {"name": "roof (http://roof/)", "reason": "20 frames, the last one: it is damaged"},
    ]
    assert [record.args[1] for record in caplog.records] == [1, 2, 4, 8, 16]
    assert "secret" not in caplog.text + summary.as_text()
