"""The script against a real Redis, without Kafka: each test is one way to count twice, or to lose."""

import json
import time

import examples
import pytest
from redis.exceptions import ResponseError
from sinks import APPENDED_MS, FIELD, START_MS, Record, everything, failed, hours, made, results, told

from result_sink.batch import Batcher
from result_sink.settings import SinkSettings
from result_sink.store import Store
from schemas.counters import CHANGES_KEY, COMPLETE_SINCE_KEY, OFFSETS_KEY, TOTALS_KEY
from schemas.prediction import Prediction

pytestmark = pytest.mark.broker

OTHER = "leaf.feedback:t:0"


class Applier:
    """One sink's view of one partition."""

    def __init__(self, redis_server):
        settings = SinkSettings(redis=redis_server, mode="real")
        self.store = Store(settings)
        self.store.connect()
        self.batcher = Batcher(settings)

    def __call__(self, events, *, first=0, believed=None, field=FIELD):
        records = [Record(first + index, event) for index, event in enumerate(events)]
        batch = self.batcher.batch(field, first if believed is None else believed, records)
        self.store.apply([batch])
        return self.store.replies()[0][1]


@pytest.fixture
def apply(redis_server, store):
    applier = Applier(redis_server)
    applier.store.move(FIELD, None, 0)
    yield applier
    applier.store.close()


def test_a_batch_is_written_with_its_offset(apply, store):
    reply = apply([made(0), made(1, answer_label="healthy")])
    assert (reply.applied, reply.stored) == (2, 2)
    assert store.hgetall(OFFSETS_KEY) == {FIELD: "2"}
    result = store.hgetall("leaf:result:image-0000000000000001")
    assert '"image_id":"image-0000000000000001"' in result["prediction"]
    assert result["done_at"] == str(APPENDED_MS + 1)
    counted = hours(store)
    assert counted["images"] == 2
    assert counted["latency_ms"] == sum(APPENDED_MS + n - START_MS - n for n in (0, 1))
    assert counted == hours(store, "arm:default:1:resnet50")


def test_the_same_batch_again_changes_nothing(apply, store):
    apply([made(0), made(1)])
    before = everything(store)
    assert apply([made(0), made(1)]).applied == 0
    assert everything(store) == before


def test_a_zombie_is_skipped_up_to_the_stored_offset_and_applied_beyond(apply, store):
    apply([made(n) for n in range(4)])
    reply = apply([made(n) for n in range(2, 8)], first=2)
    assert (reply.refused, reply.applied, reply.duplicates) == (False, 4, 0)
    assert hours(store)["images"] == 8
    assert apply([made(n) for n in range(3)]).stored == 8
    assert store.hgetall(OFFSETS_KEY) == {FIELD: "8"}
    assert TOTALS_KEY not in store.keys("*")


def test_a_sink_that_believes_more_than_redis_knows_is_refused(apply, store):
    apply([made(0)])
    before = everything(store)
    reply = apply([made(5)], first=5)
    assert (reply.refused, reply.stored) == (True, 1)
    store.flushall()
    assert apply([made(6)], first=6).stored is None
    assert everything(store) == {}
    assert before


def test_a_position_counts_once_whatever_image_it_names(apply, store):
    reply = apply([made(0), made(0), made(0, image_id="another-image-0000")])
    assert (reply.applied, reply.duplicates) == (1, 2)
    assert results(store) == {"image-0000000000000000"}
    assert store.hgetall(TOTALS_KEY) == {"duplicates": "2"}


def test_an_image_counts_once_wherever_it_stands(apply, store):
    apply([made(0)])
    again = made(9, image_id="image-0000000000000000", answer_arm="efficientnetb0")
    assert apply([again], first=1).duplicates == 1
    assert hours(store)["images"] == 1
    assert "arm:default:1:efficientnetb0" not in hours(store)
    assert '"arm":"resnet50"' in store.hget("leaf:result:image-0000000000000000", "prediction")


def test_positions_of_other_partitions_topics_and_far_chunks_are_others(apply, store):
    elsewhere = [
        made(0),
        made(0, partition=1, image_id="other-partition-00"),
        made(0, source={"topic_id": "recreated"}, image_id="other-topic-id-000"),
        made(65536, image_id="other-chunk-000000"),
    ]
    assert apply(elsewhere).applied == 4
    assert len(store.keys("leaf:seen:*")) == 4


def test_a_failure_gives_way_to_an_answer_once_and_its_count_moves(apply, store):
    image = {"image_id": "image-0000000000000000"}
    apply([failed(0)])
    assert hours(store) == {"failed": 1}
    assert apply([made(0)], first=1).duplicates == 1  # the same position can't take it back
    assert apply([failed(1, **image)], first=2).duplicates == 1
    assert apply([made(2, **image)], first=3).applied == 1
    counted = hours(store)
    assert (counted["images"], counted.get("failed")) == (1, None)
    assert apply([failed(3, **image), made(4, answer_label="healthy", **image)], first=4).duplicates == 2
    assert hours(store) == counted
    assert store.hget("leaf:result:image-0000000000000000", "shown") == "late_blight"


@pytest.mark.parametrize("order", ["prediction first", "feedback first"])
def test_feedback_joins_its_prediction_in_either_order(apply, store, order):
    apply.store.move("leaf.feedback:f:0", None, 0)
    if order == "prediction first":
        apply([made(0)])
        apply([told(0, "healthy")], field="leaf.feedback:f:0")
    else:
        apply([told(0, "healthy")], field="leaf.feedback:f:0")
        apply([made(0)])
    assert hours(store)["feedback:late_blight:healthy"] == 1
    assert hours(store, "arm:default:1:resnet50")["feedback:late_blight:healthy"] == 1


def test_a_changed_mind_corrects_the_counts(apply, store):
    apply.store.move("leaf.feedback:f:0", None, 0)
    apply([made(0)])
    apply([told(0, "healthy"), told(0, "late_blight")], field="leaf.feedback:f:0")
    apply([told(0, "leaf_mold")], first=2, field="leaf.feedback:f:0")
    counted = {name: count for name, count in hours(store).items() if name.startswith("feedback")}
    assert counted == {"feedback:late_blight:leaf_mold": 1}
    assert store.hget("leaf:feedback:image-0000000000000000", "label") == "leaf_mold"


@pytest.mark.parametrize("order", ["prediction first", "feedback first"])
def test_shadows_are_judged_with_what_was_shown(apply, store, order):
    shadows = tuple(examples.answer(arm=arm, label=label) for arm, label in (("a", "healthy"), ("b-2", "late_blight")))
    steps = [([made(0, shadows=shadows)], FIELD), ([told(0, "healthy")], "leaf.feedback:f:0")]
    apply.store.move("leaf.feedback:f:0", None, 0)
    for events, place in steps if order == "prediction first" else steps[::-1]:
        apply(events, field=place)

    def judged():
        return {name: count for name, count in hours(store).items() if name.startswith("shadow_right")}

    assert judged() == {"shadow_right:a:0:1": 1, "shadow_right:b-2:0:0": 1}
    apply([told(0, "late_blight")], first=1, field="leaf.feedback:f:0")
    assert judged() == {"shadow_right:a:1:0": 1, "shadow_right:b-2:1:1": 1}


def test_feedback_on_a_failure_counts_only_once_there_is_an_answer(apply, store):
    apply.store.move("leaf.feedback:f:0", None, 0)
    apply([failed(0)])
    apply([told(0, "healthy")], field="leaf.feedback:f:0")
    assert hours(store) == {"failed": 1}
    apply([made(1, image_id="image-0000000000000000")], first=1)
    assert hours(store)["feedback:late_blight:healthy"] == 1


def test_a_replay_counts_apart(apply, store):
    apply([made(0, camera="camera-1")])
    live = everything(store)
    apply([made(0, run="again", camera="camera-1"), made(0, run="again")], first=1, field=FIELD)
    changed = {key for key, value in everything(store).items() if live.get(key) != value}
    assert changed == {
        "leaf:run:again:result:image-0000000000000000",
        "leaf:run:again:counters",
        "leaf:run:again:results",
        "leaf:run:again:seen:images-topic-id:0:0",
        "leaf:runs",
        TOTALS_KEY,
    }
    assert store.hget("leaf:run:again:counters", "images") == "1"
    assert store.zrange("leaf:run:again:results", 0, -1) == ["image-0000000000000000"]


def test_an_upload_under_a_cameras_name_is_in_its_results_and_moves_nothing_else_of_it(apply, store):
    apply([made(0, camera="camera-1"), made(1, camera="camera-1", unauthenticated=True)])
    assert hours(store, "camera:camera-1")["images"] == 1
    assert hours(store)["unauthenticated"] == 1
    assert store.zrange("leaf:cameras", 0, -1, withscores=True) == [("camera-1", START_MS)]
    assert store.zrange("leaf:cameras:unauthenticated", 0, -1, withscores=True) == [("camera-1", START_MS + 1)]
    assert store.zrange("leaf:camera:camera-1:unauthenticated", 0, -1) == [f"image-{1:016d}"]
    assert store.zrange("leaf:camera:camera-1:results", 0, -1) == [f"image-{n:016d}" for n in (0, 1)]


def test_a_camera_has_its_counters_and_its_results_in_order(apply, store):
    apply([made(n, camera=f"camera-{n % 2}") for n in range(6)])
    assert hours(store, "camera:camera-1")["images"] == 3
    assert hours(store, "arm:default:1:resnet50:camera:camera-1")["images"] == 3
    assert store.zrange("leaf:camera:camera-1:results", 0, -1, withscores=True) == [
        (f"image-{n:016d}", START_MS + n) for n in (1, 3, 5)
    ]
    assert store.zrange("leaf:cameras", 0, -1, withscores=True) == [
        ("camera-0", START_MS + 4),
        ("camera-1", START_MS + 5),
    ]


def test_everything_expires_by_event_time(apply, store):
    days = 30 * 86400
    apply([made(0, camera="camera-1")])
    expected = {
        "leaf:result:image-0000000000000000": START_MS // 1000 + days,
        "leaf:camera:camera-1:results": START_MS // 1000 + days,
        "leaf:seen:images-topic-id:0:0": START_MS // 1000 + days,
        f"leaf:hour:{START_MS // 1000}:all": START_MS // 1000 + days,
        f"leaf:minute:{START_MS // 1000}:all": START_MS // 1000 + 86400,
    }
    assert {key: store.expiretime(key) for key in expected} == expected


def test_what_is_past_its_time_leaves_nothing(apply, store):
    old = {"timestamp_ms": START_MS - 31 * 86400 * 1000}
    assert apply([made(0, camera="camera-1", source=old)]).applied == 1
    assert set(store.keys("*")) == {OFFSETS_KEY, CHANGES_KEY}


def test_camera_results_older_than_the_retention_go(apply, store):
    early = made(0, camera="camera-1", source={"timestamp_ms": START_MS - 29 * 86400 * 1000})
    apply([early])
    late = made(1, camera="camera-1", source={"timestamp_ms": START_MS + 2 * 86400 * 1000})
    apply([late], first=1)
    assert store.zrange("leaf:camera:camera-1:results", 0, -1) == ["image-0000000000000001"]


def test_a_malformed_record_is_passed_over_and_counted(apply, store, caplog):
    reply = apply([made(0), b"{}", b"", made(1, run="again").model_dump_json().encode(), made(1)])
    assert (reply.applied, reply.stored) == (2, 5)
    assert store.hget(TOTALS_KEY, "malformed") == "3"
    assert "leaf.predictions 0@1" in caplog.text


@pytest.mark.parametrize("name", ["a b", "a:b", "", "x\ny"])
def test_a_name_that_would_fall_into_pieces_is_malformed(apply, store, name):
    apply([made(0, answer_arm=name), made(1, experiment=name), made(2, shadows=(examples.answer(arm=name),))])
    assert store.hget(TOTALS_KEY, "malformed") == "3"
    assert not hours(store)


def test_malformed_records_are_told_of_with_their_time(apply, store):
    before = time.time() * 1000 - 1
    reply = apply([b"noise", made(1), b"{}"])
    assert (reply.applied, reply.duplicates, reply.malformed) == (1, 0, 2)
    assert before <= int(store.hget(TOTALS_KEY, "malformed_at")) <= time.time() * 1000
    told_at = store.hget(TOTALS_KEY, "malformed_at")
    assert apply([made(3)], first=3).malformed == 0
    assert store.hget(TOTALS_KEY, "malformed_at") == told_at


class Foreign(Record):
    """A record of another producer, on a topic that keeps producers' timestamps."""

    def __init__(self, number, event, stamp, **parts):
        super().__init__(number, event)
        self.stamp, self.parts = stamp, parts

    def timestamp(self):
        return self.stamp

    def headers(self):
        return self.parts.get("headers", super().headers())

    def value(self):
        return self.parts.get("value", super().value())


@pytest.mark.parametrize("stamp", [(0, 0), (1, -1), (1, 0), (1, 2**62), (1, -(2**62))])
def test_any_timestamp_of_a_producer_leaves_a_result_and_a_feedback(apply, store, stamp):
    batch = apply.batcher.batch(FIELD, 0, [Foreign(0, made(0), stamp)])
    apply.store.apply([batch])
    apply.store.replies()
    batch = apply.batcher.batch(OTHER, 0, [Foreign(0, told(0, "healthy"), stamp)])
    apply.store.move(OTHER, None, 0)
    apply.store.apply([batch])
    apply.store.replies()
    assert store.ttl("leaf:result:image-0000000000000000") > 0
    assert store.ttl("leaf:feedback:image-0000000000000000") > 0
    assert hours(store)["feedback:late_blight:healthy"] == 1


def test_an_event_in_structured_mode_counts_as_one_in_binary_mode(apply, store):
    event = made(0)
    envelope = event.envelope("")
    whole = {"specversion": "1.0", "id": "x", "source": "/s", "type": envelope.type}
    value = json.dumps(whole | {"data": json.loads(envelope.value)}).encode()
    headers = [("content-type", b"application/cloudevents+json"), ("x", None)]
    batch = apply.batcher.batch(FIELD, 0, [Foreign(0, event, (2, APPENDED_MS), value=value, headers=headers)])
    apply.store.apply([batch])
    assert apply.store.replies()[0][1].applied == 1
    stored = store.hget("leaf:result:image-0000000000000000", "prediction")
    assert Prediction.model_validate_json(stored) == event


def test_tombstones_and_headers_of_any_kind_stop_nothing(apply, store):
    class Undecodable(Foreign):
        def headers(self):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    records = [
        Foreign(0, made(0), (2, APPENDED_MS), value=None),
        Foreign(1, made(1), (2, APPENDED_MS), headers=None),
        Undecodable(2, made(2), (2, APPENDED_MS)),
        Foreign(3, made(3), (2, APPENDED_MS), headers=[("x", b"\xff"), *Record(3, made(3)).headers(), ("x", None)]),
    ]
    apply.store.apply([apply.batcher.batch(FIELD, 0, records)])
    reply = apply.store.replies()[0][1]
    assert (reply.applied, reply.malformed, reply.stored) == (1, 3, 4)


def test_a_time_that_redis_can_not_expire_by_is_malformed(apply, store):
    """It would be noticed after the first writes, and the partition would never get past it."""
    late = made(1).model_dump_json().replace(f'"timestamp_ms":{START_MS + 1}', f'"timestamp_ms":{10**20}')
    reply = apply([made(0), late.encode(), made(2)])
    assert (reply.applied, reply.stored) == (2, 3)
    assert store.hget(TOTALS_KEY, "malformed") == "1"


@pytest.mark.parametrize("spoilt", ["record", "payload", "counter", "result", "view", "bitmap"])
def test_nothing_is_written_unless_all_can_be(apply, store, spoilt):
    keys = {
        "counter": f"leaf:hour:{START_MS // 1000}:all",
        "result": "leaf:result:image-0000000000000002",
        "view": "leaf:camera:camera-1:results",
    }
    if spoilt == "bitmap":
        store.lpush("leaf:seen:images-topic-id:0:0", "foreign")
    elif spoilt in keys:
        store.set(keys[spoilt], "foreign")
    before = everything(store) if spoilt != "bitmap" else None
    events = [made(n, camera="camera-1") for n in range(3)]
    batch = apply.batcher.batch(FIELD, 0, [Record(n, event) for n, event in enumerate(events)])
    if spoilt == "record":
        del batch.records[2]["shown"]
    if spoilt == "payload":
        del batch.payloads[2]
    apply.store.apply([batch])
    with pytest.raises(ResponseError):
        apply.store.replies()
    assert store.hget(OFFSETS_KEY, FIELD) == "0"
    assert len(store.keys("*")) == (1 if spoilt in {"record", "payload"} else 2)
    assert before is None or everything(store) == before


def test_an_offset_moves_only_from_where_it_was_seen(apply, store):
    assert not apply.store.move(FIELD, None, 9)
    assert not apply.store.move(FIELD, 3, 9, lost=6)
    assert store.hgetall(OFFSETS_KEY) == {FIELD: "0"}
    assert apply.store.move(FIELD, 0, 9, lost=9, since_ms=1234)
    assert store.hgetall(OFFSETS_KEY) == {FIELD: "9"}
    assert store.hgetall(TOTALS_KEY) == {"lost": "9"}
    assert store.hgetall(COMPLETE_SINCE_KEY) == {FIELD: "1234"}


def test_each_live_image_is_announced_once(apply, store):
    with store.pubsub() as listener:
        listener.subscribe("leaf:done")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        apply([made(0), made(0), made(1)])
        apply([made(2, run="again")], first=3)
        apply([made(3)], first=4)
        said = [listener.get_message(timeout=5)["data"] for _ in range(3)]
        assert said == [f"image-{n:016d}" for n in (0, 1, 3)]
        assert listener.get_message(timeout=0.2) is None


def test_a_rebuild_in_other_batches_comes_out_alike(apply, store):
    events = [
        *(made(n, camera=f"camera-{n % 3}" if n % 2 else None, partition=n % 4) for n in range(200)),
        *(made(n, partition=n % 4) for n in range(0, 200, 7)),
        *(failed(300 + n) for n in range(10)),
        *(made(400 + n, image_id=f"image-{300 + n:016d}") for n in range(5)),
        *(made(n, run="again", predicted_at=made(0).predicted_at) for n in range(20)),
    ]
    feedback = [told(n % 60, label) for n in range(90) for label in ("healthy", "leaf_mold")[: 1 + n % 2]]

    def build(size, feedback_first):
        store.flushall()
        apply.store.connect()
        apply.store.move(FIELD, None, 0)
        apply.store.move("leaf.feedback:f:0", None, 0)
        for first in range(0, len(feedback), 30) if feedback_first else ():
            apply(feedback[first : first + 30], first=first, field="leaf.feedback:f:0")
        for first in range(0, len(events), size):
            apply(events[first : first + size], first=first)
        if not feedback_first:
            apply(feedback, field="leaf.feedback:f:0")
        return everything(store)

    assert build(500, feedback_first=False) == build(7, feedback_first=True)


def test_five_hundred_records_of_everything_fit_into_one_script(apply):
    events = [
        made(n, camera=f"camera-{n}", experiment=f"experiment-{n}", source={"timestamp_ms": START_MS + n * 60_000})
        for n in range(500)
    ]
    began = time.monotonic()
    assert apply(events).applied == 500
    assert time.monotonic() - began < 5
