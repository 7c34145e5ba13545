import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from producer_api.errors import BacklogError
from producer_api.settings import ApiSettings
from producer_api.uploads import backlog
from producer_api.uploads.backlog import Backlog, Backpressure, History
from stream_workers.settings import WorkerSettings


def test_no_lag_is_no_age():
    history = History(60)
    history.add(0, {0: 10, 1: 5})
    assert history.backlog(0, {0: 10, 1: 5}, {0: 10, 1: 5}) == Backlog(0, 0)


def test_the_age_is_that_of_the_first_sample_behind_the_position():
    history = History(60)
    for now, end in ((0, 10), (10, 20), (20, 30)):
        history.add(now, {0: end})
    assert history.backlog(25, {0: 35}, {0: 25}) == Backlog(10, 5)
    assert history.backlog(25, {0: 35}, {0: 15}) == Backlog(20, 15)
    assert history.backlog(25, {0: 35}, {0: 0}) == Backlog(35, 25)


def test_the_oldest_partition_counts():
    history = History(60)
    history.add(0, {0: 10, 1: 10})
    history.add(10, {0: 20, 1: 10})
    assert history.backlog(10, {0: 20, 1: 10}, {0: 10, 1: 10}) == Backlog(10, 0)
    assert history.backlog(10, {0: 20, 1: 10}, {0: 20, 1: 9}) == Backlog(1, 10)


def test_what_keeps_being_processed_does_not_age():
    history = History(60)
    for now in range(0, 1000, 2):
        history.add(now, {0: now * 10})
        assert history.backlog(now, {0: now * 10}, {0: max(0, now * 10 - 15)}).age_seconds == 0


def test_memory_is_bounded():
    history = History(60)
    for now in range(0, 10000, 2):
        history.add(now, {0: now})
    assert len(history._ends) <= 31


def test_refuses_above_the_age_and_only_then():
    backpressure = Backpressure("", every_seconds=2, max_age_seconds=60, broker_times=True)
    backpressure.check()
    backpressure.backlog = Backlog(5000, 59)
    backpressure.check()
    backpressure.backlog = Backlog(1, 61)
    with pytest.raises(BacklogError):
        backpressure.check()


class Coordinator:
    """A broker that has just started: the group's offsets are not loaded, and the answer says so as a whole."""

    async def list_consumer_group_offsets(self, *_args, **_kwargs):
        return {}

    async def beginning_offsets(self, partitions):
        return dict.fromkeys(partitions, 0)

    end_offsets = beginning_offsets


async def test_a_coordinator_that_still_loads_is_an_outage_and_no_end(monkeypatch):
    async def partitions(_consumer):
        return [TopicPartition("leaf.images", 0)]

    monkeypatch.setattr(backlog, "_partitions", partitions)
    backpressure = Backpressure("", every_seconds=2, max_age_seconds=60, broker_times=True)
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
