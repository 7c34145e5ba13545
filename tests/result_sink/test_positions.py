from confluent_kafka import TopicPartition

from result_sink.journal import Bounds
from result_sink.positions import Positions
from schemas.topics import PREDICTIONS

OWNED = [TopicPartition(PREDICTIONS.name, 0)]


class Log:
    """Holds offsets 3 to 8."""

    def topic_ids(self):
        return {PREDICTIONS.name: "id"}

    def bounds(self, _partition):
        return Bounds(3, 9)

    def first_timestamp_ms(self, _partition):
        return 1000


class Stored:
    """Redis with one offset."""

    def __init__(self, offset):
        self.offset = offset
        self.moves = []

    def offsets(self, fields):
        return [self.offset for _ in fields]

    def move(self, *arguments, **details):
        self.moves.append((*arguments, details))
        return True


def start(offset):
    stored = Stored(offset)
    (found,) = Positions(Log(), stored).find(OWNED)
    return found.offset, stored.moves


def test_what_fits_goes_on():
    assert start(9) == (9, [])


def test_nothing_stored_starts_at_the_logs_start_and_says_since_when():
    assert start(None) == (3, [("leaf.predictions:id:0", None, 3, {"since_ms": 1000})])


def test_a_gap_is_counted():
    assert start(1) == (3, [("leaf.predictions:id:0", 1, 3, {"lost": 2, "since_ms": 1000})])


def test_beyond_the_end_is_noticed_before_the_log_can_grow_past_it():
    assert start(10) == (3, [("leaf.predictions:id:0", 10, 3, {})])
