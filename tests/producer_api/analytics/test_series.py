from datetime import UTC, datetime, timedelta

import pytest
from traffic import two_arms

from producer_api.analytics.drift import baselines_of
from producer_api.analytics.series import series
from producer_api.analytics.window import Window
from producer_api.errors import RequestError
from schemas.counters import ALL, CAMERAS_KEY, arm_scope, bucket_key, camera_scope
from schemas.errors import StoreUnavailableError
from schemas.labels import LABELS
from tests.producer_api.conftest import ADMIN_KEY

pytestmark = pytest.mark.broker

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
WINDOW = Window.of(NOON, NOON + timedelta(hours=3), "hour")
MINUTES = Window.of(NOON, NOON + timedelta(minutes=3), "minute")


def ms(moment):
    return int(moment.timestamp() * 1000)


def put(store, window, bucket, scope=ALL, **fields):
    """Write one bucket as the sink would; `__` stands for a colon."""
    at = ms(window.begin) + bucket * window.seconds * 1000
    store.hset(bucket_key(window.step, at, scope), mapping={name.replace("__", ":"): n for name, n in fields.items()})


def lines(counters, metric, by="all", window=WINDOW, baselines=None):
    return {line.name: line.values for line in series(counters, metric, by, window, baselines).lines}


def test_counts_bucket_by_bucket(store, counters):
    put(store, WINDOW, 0, images=5, failed=1)
    put(store, WINDOW, 2, images=7)
    put(store, WINDOW, 3, images=100)
    assert lines(counters, "images") == {"images": [5, 0, 7]}
    assert lines(counters, "failed") == {"failed": [1, 0, 0]}
    found = series(counters, "images", "all", WINDOW, None)
    assert found.times == [NOON + timedelta(hours=hour) for hour in range(3)]


def test_labels_and_verdicts_are_lines_of_their_own(store, counters):
    put(store, WINDOW, 1, images=3, label__healthy=2, label__not_tomato_leaf=1, verdict__uncertain=1)
    labels = lines(counters, "label")
    assert (labels["healthy"], labels["not_tomato_leaf"], labels["leaf_mold"]) == ([0, 2, 0], [0, 1, 0], [0, 0, 0])
    assert lines(counters, "verdict")["uncertain"] == [0, 1, 0]


def test_every_verdict_and_every_label_that_can_be_shown_is_a_line(store, counters):
    put(store, WINDOW, 1, images=5, label__other_tomato_problem=2, verdict__other_tomato_problem=2, verdict__likely=3)
    verdicts, labels = lines(counters, "verdict"), lines(counters, "label")
    assert list(verdicts) == ["diagnosed", "likely", "uncertain", "other_tomato_problem", "not_tomato_leaf"]
    assert (verdicts["likely"], verdicts["other_tomato_problem"]) == ([0, 3, 0], [0, 2, 0])
    assert list(labels) == [*LABELS, "other_tomato_problem", "not_tomato_leaf"]
    assert labels["other_tomato_problem"] == [0, 2, 0]


def test_latency_comes_from_the_histogram_and_backlog_from_its_sum(store, counters):
    # Bin 19 of the latencies is 80 to 89.8 ms: 10 * 2 ** (18 / 6) is 80.
    put(store, MINUTES, 1, images=600, latency__19=600, latency_ms=51_000)
    latency = lines(counters, "latency", window=MINUTES)
    assert latency["p50"][0] is None
    assert latency["p50"][1] == pytest.approx(84.8, abs=0.1)
    assert 89 < latency["p99"][1] < 89.8
    # Little's law: 600 photographs of 85 ms each in 60 s are 0.85 in work on average.
    # The last of them stay into the minute after.
    [backlog] = lines(counters, "backlog", window=MINUTES).values()
    assert backlog == [0, pytest.approx(0.85, rel=0.01), pytest.approx(0, abs=0.001)]
    assert sum(backlog) == pytest.approx(0.85)


def test_accuracy_is_of_those_with_feedback(store, counters):
    put(store, WINDOW, 0, images=9, feedback__healthy__healthy=3, feedback__healthy__leaf_mold=1)
    assert lines(counters, "accuracy") == {"accuracy": [0.75, None, None]}


def test_by_arm(store, counters):
    for bucket, arm in [(0, "old"), (1, "new")]:
        put(store, WINDOW, bucket, arm_scope("x", 2, arm), images=4)
        put(store, WINDOW, bucket, images=4, **{f"arm__x__2__{arm}": 4})
    assert lines(counters, "images", "arm") == {"x@2 old": [4, 0, 0], "x@2 new": [0, 4, 0]}


async def test_cameras_are_named_to_whoever_has_the_key(store, api):
    now = datetime.now(UTC)
    for number, camera in enumerate(["north", "south"]):
        store.zadd(CAMERAS_KEY, {camera: ms(now) - number})
    query = {"metric": "images", "by": "camera"}
    key = {"Authorization": f"Bearer {ADMIN_KEY}"}
    for headers, names in ({}, ["camera 1", "camera 2"]), (key, ["north", "south"]):
        found = (await api.get("/analytics/series", params=query, headers=headers)).json()["lines"]
        assert [line["name"] for line in found] == names


def test_photographs_under_a_name_that_is_not_authenticated_are_a_line(store, counters):
    put(store, WINDOW, 1, images=3, unauthenticated=2)
    assert lines(counters, "unauthenticated") == {"unauthenticated": [0, 2, 0]}


def test_by_camera(store, counters):
    store.zadd(CAMERAS_KEY, {"north": ms(NOON) + 1, "gone": ms(NOON) - 1})
    put(store, WINDOW, 0, camera_scope("north"), images=2)
    assert lines(counters, "images", "camera") == {"north": [2, 0, 0]}
    with pytest.raises(RequestError, match="by the hour only"):
        series(counters, "images", "camera", MINUTES, None)


def test_drift_in_each_bucket(store, counters, models):
    put(store, WINDOW, 0, images=1000, **{f"brightness__{index}": 1000 // 16 for index in range(16)})
    put(store, WINDOW, 1, images=3, brightness__7=3)
    found = lines(counters, "drift", baselines=baselines_of(models, "resnet50", "1"))
    assert found["brightness"][0] > 0.25
    assert found["brightness"][1:] == [None, None]


def test_without_redis_it_says_so():
    from producer_api.analytics.counts import CounterStore

    with pytest.raises(StoreUnavailableError, match="Redis does not answer"):
        series(CounterStore("redis://127.0.0.1:1/0", 0.5, {"hour": timedelta(days=3650)}), "images", "all", WINDOW)


async def test_over_http(api, store, experiments):
    now = Window.of(None, None, "minute")
    put(store, now, 10, images=5)
    answer = (await api.get("/analytics/series", params={"metric": "images", "step": "minute"})).json()
    assert sum(answer["lines"][0]["values"]) == 5
    assert answer["unit"] == "photographs"
    for wrong in ({"metric": "moon"}, {}, {"metric": "images", "step": "day"}, {"metric": "images", "from": "noon"}):
        refused = await api.get("/analytics/series", params=wrong)
        assert refused.status_code == 422
        assert refused.headers["content-type"] == "application/problem+json"
    assert (await api.get("/analytics/series", params={"metric": "drift"})).status_code == 404
    experiments.append(two_arms())
    experiments.read()
    drift = (await api.get("/analytics/series", params={"metric": "drift", "step": "minute"})).json()
    assert [line["name"] for line in drift["lines"]] == ["brightness"]
