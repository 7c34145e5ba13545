import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from producer_api.errors import BacklogError
from producer_api.settings import ApiSettings
from producer_api.uploads import backlog
from producer_api.uploads.backlog import Backlog, Backpressure, History
from producer_api.uploads.partitioner import partition
from stream_workers.settings import WorkerSettings


def test_no_lag_is_no_age():
    history = History(60, 60)
    history.add(0, {0: 10, 1: 5})
    assert history.backlog(0, {0: 10, 1: 5}, {0: 10, 1: 5}) == Backlog(0, {0: 0, 1: 0})


def test_the_age_is_that_of_the_first_sample_behind_the_position():
    history = History(60, 60)
    for now, end in ((0, 10), (10, 20), (20, 30)):
        history.add(now, {0: end})
    assert history.backlog(25, {0: 35}, {0: 0}) == Backlog(35, {0: 25})
    assert history.backlog(25, {0: 35}, {0: 15}) == Backlog(20, {0: 15}, moving=True)
    assert history.backlog(25, {0: 35}, {0: 25}) == Backlog(10, {0: 5}, moving=True)


def test_each_partition_has_its_own_age():
    history = History(60, 60)
    history.add(0, {0: 10, 1: 10})
    history.add(10, {0: 20, 1: 10})
    assert history.backlog(10, {0: 20, 1: 10}, {0: 10, 1: 9}) == Backlog(11, {0: 0, 1: 10})
    assert history.backlog(10, {0: 20, 1: 10}, {0: 20, 1: 9}).age_seconds == 10


def test_what_was_processed_long_ago_is_not_lately():
    history = History(60, 10)
    positions = iter([5, 6, *[6] * 6])
    moving = [history.backlog(now, {0: 10}, {0: next(positions)}).moving for now in range(0, 16, 2)]
    assert moving == [False, *[True] * 5, False, False]


def test_what_keeps_being_processed_does_not_age():
    history = History(60, 60)
    for now in range(0, 1000, 2):
        history.add(now, {0: now * 10})
        assert history.backlog(now, {0: now * 10}, {0: max(0, now * 10 - 15)}).age_seconds == 0


def test_memory_is_bounded():
    history = History(60, 60)
    for now in range(0, 10000, 2):
        history.add(now, {0: now})
    assert len(history._ends) <= 31


@pytest.fixture
def backpressure():
    return Backpressure("", every_seconds=2, max_age_seconds=60, broker_times=True)


def refuses(backpressure, key=None):
    try:
        backpressure.check(key)
    except BacklogError:
        return True
    return False


PARTITIONS = 12
KEYS = [f"key-{number}" for number in range(200)]
ONE_BEHIND = dict.fromkeys(range(PARTITIONS), 0) | {3: 61}


def in_partition_3(key):
    return partition(key.encode(), range(PARTITIONS), ()) == 3


def test_refuses_above_the_age_and_only_then(backpressure):
    assert not refuses(backpressure)
    backpressure.backlog = Backlog(5000, {0: 59, 1: 59}, moving=True)
    assert not refuses(backpressure)
    backpressure.backlog = Backlog(1, {0: 61, 1: 61}, moving=True)
    assert refuses(backpressure)


def test_a_partition_that_is_behind_refuses_its_own_keys_only(backpressure):
    backpressure.backlog = Backlog(5000, ONE_BEHIND, moving=True)
    assert not refuses(backpressure)
    assert [refuses(backpressure, key) for key in KEYS] == [in_partition_3(key) for key in KEYS]


def test_keys_made_at_random_avoid_it(backpressure):
    backpressure.backlog = Backlog(5000, ONE_BEHIND, moving=True)
    keys = iter(KEYS)
    chosen = [backpressure.open_key(lambda: next(keys)) for _ in range(150)]
    assert not any(in_partition_3(key) for key in chosen)
    backpressure.backlog = Backlog(5000, dict.fromkeys(range(PARTITIONS), 61), moving=True)
    assert backpressure.open_key(lambda: "same") == "same"  # and does not try for ever


def test_workers_that_process_nothing_refuse_everything(backpressure):
    backpressure.backlog = Backlog(5000, ONE_BEHIND)
    assert refuses(backpressure)


class Coordinator:
    """A broker that has just started: the group's offsets are not loaded, and the answer says so as a whole."""

    async def list_consumer_group_offsets(self, *_args, **_kwargs):
        return {}

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    end_offsets = beginning_offsets


async def test_a_coordinator_that_still_loads_is_an_outage_and_no_end(backpressure, monkeypatch):
    async def partitions(_consumer):
        return [TopicPartition("leaf.images", 0)]

    monkeypatch.setattr(backlog, "_partitions", partitions)
    with pytest.raises(KafkaError):
        await backpressure._sample(Coordinator(), Coordinator())


async def test_it_asks_for_the_group_that_the_workers_are_in(monkeypatch):
    monkeypatch.setenv("LEAF_WORKER_GROUP", "mine")
    assert ApiSettings().worker_group == WorkerSettings().group == "mine"
    asked = []

    class Admin:
        async def list_consumer_group_offsets(self, group, **_kwargs):
            asked.append(group)
            return {}

    class Consumer:
        class _client:  # noqa: N801
            async def _wait_on_metadata(_topic):  # noqa: N805
                return {0}

    backpressure = Backpressure("", group="mine", every_seconds=1, max_age_seconds=60, broker_times=True)
    with pytest.raises(KafkaError):
        await backpressure._sample(Consumer(), Admin())
    assert asked == ["mine"]
