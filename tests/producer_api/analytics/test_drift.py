from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY
from sinks import START_MS, eventually, hours, publish
from traffic import BRIGHTNESS, LABEL_SHARES, Traffic, card, two_arms

from producer_api.analytics.answers import Answers
from producer_api.analytics.drift import Baselines, baselines_of, comparable, drift, drifts
from producer_api.analytics.drift_watch import DriftWatch
from producer_api.analytics.window import Window
from producer_api.experiments.register import Register
from schemas.card import Histogram
from schemas.counters import EDGES
from schemas.labels import LABELS
from schemas.result import from_ms

ROOT = Path(__file__).parents[3]
EVEN = {"accuracy": {"old": 0.9, "new": 0.9}, "uncertain": {"old": 0.1, "new": 0.1}}


def counted(feature, values):
    """The sink's bins of these values."""
    index = np.clip(np.searchsorted(EDGES[feature], values, side="right") - 1, 0, len(EDGES[feature]) - 2)
    return Counter({(feature, str(place)): int(n) for place, n in enumerate(np.bincount(index)) if n})


def test_in_the_baselines_own_bins_counts_stay_as_they_are():
    counts = Counter({("brightness", "3"): 5, ("brightness", "15"): 2})
    histogram = Histogram(edges=list(EDGES["brightness"]), shares=[1 / 16] * 16)
    expected, actual = comparable([counts], "brightness", histogram)
    assert expected == pytest.approx([1 / 16] * 16)
    assert actual.tolist() == [[0, 0, 0, 5] + [0] * 11 + [2]]


def test_in_other_bins_nothing_is_lost_and_both_say_the_same():
    values = BRIGHTNESS.rvs(50_000, random_state=1)
    edges = [0.0, *BRIGHTNESS.ppf(np.linspace(0.1, 0.9, 9)), 255.0]
    expected, actual = comparable(
        [counted("brightness", values)], "brightness", Histogram(edges=edges, shares=[0.1] * 10)
    )
    assert (sum(expected), actual.sum()) == (pytest.approx(1), 50_000)
    assert actual[0] == pytest.approx([50_000 * share for share in expected], rel=0.15)


def test_contrast_beyond_the_counters_last_edge_counts_in_the_last_bin():
    counts = Counter({("contrast", "15"): 4})
    assert comparable([counts], "contrast", Histogram(edges=[0, 100, 255], shares=[0.5, 0.5]))[1].tolist() == [[0, 4]]


def test_one_bin_drifts_nowhere():
    memory = Baselines(model="m@1", histograms={"brightness": Histogram(edges=[0, 255], shares=[1])}, labels={})
    assert drifts(Counter({("brightness", "3"): 500}), memory) == []


@pytest.mark.parametrize("model", ["efficientnetb0", "resnet50"])
def test_what_the_stored_cards_remember_does_not_drift_from_itself(model):
    memory = baselines_of(ROOT / "models", model, max(path.name for path in (ROOT / "models" / model).iterdir()))
    for feature, remembered in memory.histograms.items():
        values = np.interp(np.random.default_rng(1).random(5000), [0, *np.cumsum(remembered.shares)], remembered.edges)
        (judged,) = drifts(counted(feature, values), memory, (feature,))
        assert judged.psi < 0.02, feature


def test_photographs_as_in_training_do_not_drift_and_darker_ones_do():
    memory = Baselines(model="m@1", histograms=card("resnet50").drift_baselines, labels={})
    levels = {
        shift: drifts(counted("brightness", BRIGHTNESS.rvs(2000, random_state=2) - shift), memory)[0].level
        for shift in (0, 10, 30)
    }
    assert levels == {0: "none", 10: "moderate", 30: "large"}


def test_the_label_mix_drifts_too():
    memory = Baselines(model="m@1", histograms={}, labels=LABEL_SHARES)
    as_trained = Counter({("label", label): int(2000 * share) for label, share in LABEL_SHARES.items()})
    even = Counter({("label", label): 200 for label in LABELS})
    assert [drifts(counts, memory, ("label",))[0].level for counts in (as_trained, even)] == ["none", "large"]


def test_a_card_that_is_not_there_is_no_drift(tmp_path, caplog):
    assert baselines_of(tmp_path, "resnet50", "1") is None
    assert "no drift against resnet50@1" in caplog.text


@pytest.mark.broker
@pytest.mark.timeout(120)
async def test_through_the_sink_over_http_and_as_gauges(sink, producer, store, counters, experiments, api, models):
    experiment = two_arms(0.5)
    experiments.append(experiment)
    darker = Traffic(**EVEN, brightness=90, feedback=0)
    predictions, _ = darker.events(experiment, range(2000))
    publish(producer, predictions)
    eventually(lambda: _all_in(store, 2000), 60)

    params = {"from": from_ms(START_MS).isoformat()}
    found = (await api.get("/analytics/drift", params=params)).json()["features"]
    by_name = {(feature["feature"], feature["arm"]): feature for feature in found}
    assert by_name["brightness", None]["level"] == "large"
    assert by_name["brightness", None]["images"] == 2000
    assert by_name["label", "old"]["level"] == "none"
    assert by_name["label", "old"]["model"] == "resnet50@1"
    assert by_name["label", "new"]["model"] == "efficientnetb0@1"
    assert by_name["label", "old"]["images"] + by_name["label", "new"]["images"] == 2000

    DriftWatch(Answers(), Register(experiments, models), counters, models).measure()
    gauge = {"feature": "brightness", "arm": "", "model": "resnet50@1"}
    assert REGISTRY.get_sample_value("leaf_drift_psi", gauge) == pytest.approx(by_name["brightness", None]["psi"])
    assert REGISTRY.get_sample_value("leaf_drift_photographs", gauge) == 2000


@pytest.mark.broker
def test_once_stopped_the_first_arm_is_judged_outside_of_the_experiment(sink, producer, store, counters, models):
    stopped = two_arms().model_copy(update={"version": 2, "status": "stopped"})
    predictions, _ = Traffic(**EVEN, feedback=0).events(stopped, range(200))
    publish(producer, predictions)
    eventually(lambda: _all_in(store, 200))
    window = Window.of(from_ms(START_MS), datetime.now(UTC), "hour")
    found = drift(counters, stopped, models, window).features
    assert {(feature.feature, feature.arm, feature.images) for feature in found} == {
        ("brightness", None, 200),
        ("label", "old", 200),
    }


def _all_in(store, images):
    assert hours(store).get("images", 0) == images
