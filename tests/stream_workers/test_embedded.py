"""The worker on the in-memory broker."""

import time

import pytest
from cluster import Cluster
from sinks import eventually
from workers import image_event, jpeg

from ops.embedded import Embedded
from ops.topics import TopicSettings, create_topics
from producer_api.experiments.trials import Trials
from schemas.labels import LABELS
from stream_workers.topology import EMBEDDED_TOPIC_ID

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory):
    """In the place of the real one."""
    directory = tmp_path_factory.mktemp("embedded")
    with Embedded(directory / "addresses.json", log=directory / "embedded.log") as embedded:
        embedded.address = embedded.addresses[0]
        create_topics(TopicSettings(kafka=embedded.address, mode="embedded"), experiment=False)
        yield embedded


def test_photographs_are_answered_by_the_producers_clock(own_broker, start_worker) -> None:
    start_worker(MODE="embedded")
    cluster = Cluster(own_broker.address)
    events = [image_event(number, jpeg=jpeg(20 * number)) for number in range(5)]
    positions = cluster.produce(*events)
    (poison,) = cluster.produce_records(([], b"key", b"noise"))
    found = cluster.wait_for([*positions, poison], seconds=60)
    for number, position in enumerate(positions):
        prediction = found[position][0]
        assert prediction.answer.label == LABELS[number]
        assert prediction.source.topic_id == EMBEDDED_TOPIC_ID
        assert prediction.source.timestamp_ms == int(events[number].accepted_at.timestamp() * 1000)
    assert found[poison][0].failure.kind == "unprocessable"
    assert abs(time.time() - found[poison][0].predicted_at.timestamp()) < 60


def test_a_trial_is_answered_where_groups_can_not_be_described(own_broker, start_worker) -> None:
    start_worker(MODE="embedded")
    trials = Trials(own_broker.address, "leaf-workers", embedded=True)
    eventually(lambda: trials.refusals(["flat@9"])["flat@9"].index("does not exist"), 60)
    assert trials.refusals(["flat@1"]) == {}
