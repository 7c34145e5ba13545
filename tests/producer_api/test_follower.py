import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from ops.broker import Broker
from ops.settings import TopicSettings
from ops.topics import create_topics, partition_counts
from producer_api.follower import Follower
from schemas.errors import BrokerUnavailableError
from schemas.topics import RUNS

pytestmark = pytest.mark.timeout(120)


class Following:
    """A follower of `leaf.runs` and what it took."""

    def __init__(self, bootstrap, seconds=60):
        self.taken, self.came = [], threading.Condition()
        client = {"bootstrap.servers": bootstrap, "client.id": "tests", "log_level": 0}
        self.follower = Follower(client, RUNS.name, seconds, self.take, self.taken.clear)

    def take(self, message):
        if message.value() == b"odd":
            raise ValueError
        with self.came:
            self.taken.append(message.value().decode())
            self.came.notify_all()

    def wait_for(self, *values):
        with self.came:
            assert self.came.wait_for(lambda: self.taken == list(values), 60)


@pytest.fixture
def following(topics):
    made = Following(topics)
    yield made
    made.follower.close()


def produce(kafka, *values):
    producer = Producer({"bootstrap.servers": kafka})
    for value in values:
        producer.produce(RUNS.name, value, "key", partition=0)
    assert producer.flush(30) == 0


@pytest.mark.broker
def test_what_was_there_and_what_comes_is_taken_without_being_asked_for(topics, following):
    produce(topics, "a", "odd", "b")
    following.follower.known()
    assert following.taken == ["a", "b"]
    produce(topics, "c")
    following.wait_for("a", "b", "c")


@pytest.mark.broker
def test_to_look_at_what_is_known_asks_the_broker_nothing(topics, following, broker: Broker):
    produce(topics, "a")
    following.follower.known()
    broker.kill()
    try:
        with ThreadPoolExecutor(30) as pool:
            list(pool.map(lambda _: following.follower.known(), range(300)))
        assert following.taken == ["a"]
    finally:
        broker.start()
    produce(topics, "b")
    following.wait_for("a", "b")


@pytest.mark.broker
def test_a_topic_made_anew_is_read_from_its_start_however_much_it_holds(topics, following):
    produce(topics, "a", "b")
    following.follower.known()
    admin = AdminClient({"bootstrap.servers": topics})
    admin.delete_topics([RUNS.name])[RUNS.name].result(30)
    while RUNS.name in partition_counts(admin):
        time.sleep(0.05)
    create_topics(TopicSettings(kafka=topics), experiment=False)
    produce(topics, "c", "d")
    following.wait_for("c", "d")
    following.follower.reach_end()
    assert following.taken == ["c", "d"]


def test_without_a_broker_the_first_reading_has_its_time_and_nobody_waits_after_it():
    away = Following("127.0.0.1:1", 0.5)
    with pytest.raises(BrokerUnavailableError, match=r"leaf\.runs can't be read"):
        away.follower.known()
    began = time.process_time()
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(away.follower.known) for _ in range(400)]
        assert {type(one.exception()) for one in asked} == {BrokerUnavailableError}
    assert time.process_time() - began < 5
    away.follower.close()
