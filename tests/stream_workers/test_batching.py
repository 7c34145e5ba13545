import asyncio
import threading
from contextlib import asynccontextmanager
from itertools import chain

import pytest
from workers import FlatEngine, photograph

from stream_workers.assignment import Assignment, Variant
from stream_workers.batching import Batching
from stream_workers.diagnosis import Diagnosis
from stream_workers.journal import Journal
from stream_workers.models import Registry

LIMIT = 4


class Gate(FlatEngine):
    """Computes when it is told to."""

    def __init__(self) -> None:
        super().__init__(ceiling=LIMIT)
        self.busy, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def infer(self, images, larger=None):
        self.busy.set()
        assert self.go_on.wait(10)
        return super().infer(images, larger)


class Held:
    """Publishes when it is told to."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, batch) -> None:
        self.begun.set()
        await self.go_on.wait()


class Bench:
    def __init__(self, models, directory, publish=None) -> None:
        self.engine = Gate()
        self.progress = asyncio.Event()
        self.published: list[list[int]] = []
        registry = Registry(models, lambda *_: self.engine)
        route = lambda *_: Assignment(Variant("flat", "flat", "1"))  # noqa: E731
        self.journal = Journal(directory, "t")
        self.diagnosis = Diagnosis(registry, route, attempts=2)
        self.batching = Batching(self.diagnosis, publish or self.publish, self.journal, LIMIT)

    async def publish(self, batch) -> None:
        self.published.append([item.position.offset for item in batch])
        self.progress.set()

    async def until_published(self, count: int) -> None:
        async with asyncio.timeout(10):
            while sum(map(len, self.published)) < count:
                self.progress.clear()
                await self.progress.wait()

    @asynccontextmanager
    async def running(self):
        await self.diagnosis.assign([photograph()])  # the model is loaded and warm
        self.engine.batches.clear()
        self.engine.busy.clear()
        task = asyncio.create_task(self.batching.run())
        try:
            yield task
        finally:
            self.engine.go_on.set()
            task.cancel()
            await asyncio.wait([task])
            self.journal.close()


@pytest.fixture
def bench(models, tmp_path) -> Bench:
    return Bench(models, tmp_path)


async def test_an_idle_worker_starts_at_once_with_what_there_is(bench) -> None:
    async with bench.running():
        await bench.batching.put(photograph(0))
        await bench.until_published(1)
    assert bench.engine.batches == [1]


async def test_the_next_batch_fills_while_one_is_computed(bench) -> None:
    async with bench.running():
        bench.engine.go_on.clear()
        await bench.batching.put(photograph(0))
        await asyncio.to_thread(bench.engine.busy.wait, 5)
        for number in range(1, 4):
            await bench.batching.put(photograph(number))
        for _ in range(500):
            if len(bench.batching._decoded) == 3:
                break
            await asyncio.sleep(0.01)
        bench.engine.go_on.set()
        await bench.until_published(4)
    assert bench.engine.batches == [1, 3]


async def test_decoding_leaves_the_event_loop_to_commits_and_timers(bench, monkeypatch) -> None:
    decoding, go_on = threading.Event(), threading.Event()

    decode = bench.diagnosis.decode

    def slowly(chunk) -> None:
        decoding.set()
        assert go_on.wait(5)
        decode(chunk)

    monkeypatch.setattr(bench.diagnosis, "decode", slowly)
    async with bench.running():
        await bench.batching.put(photograph(0))
        assert await asyncio.to_thread(decoding.wait, 5)
        go_on.set()
        await bench.until_published(1)


async def test_never_more_than_two_batches_are_in_memory(bench) -> None:
    async with bench.running():
        bench.engine.go_on.clear()
        for number in range(2 * LIMIT):
            await asyncio.wait_for(bench.batching.put(photograph(number)), 1)
        late = asyncio.create_task(bench.batching.put(photograph(2 * LIMIT)))
        await asyncio.sleep(0.1)
        assert not late.done()
        bench.engine.go_on.set()
        await asyncio.wait_for(late, 5)
        await bench.until_published(2 * LIMIT + 1)
    assert max(bench.engine.batches) <= LIMIT


async def test_what_is_not_published_yet_counts_among_the_two_batches(models, tmp_path) -> None:
    publish = Held()
    bench = Bench(models, tmp_path, publish)
    async with bench.running():
        for number in range(2 * LIMIT):
            await asyncio.wait_for(bench.batching.put(photograph(number)), 5)
        late = asyncio.create_task(bench.batching.put(photograph(2 * LIMIT)))
        await asyncio.wait_for(publish.begun.wait(), 10)  # so at least one of them is computed
        await asyncio.sleep(0.2)
        assert not late.done()
        publish.go_on.set()
        await asyncio.wait_for(late, 5)
        await bench.batching._until_idle()


async def test_order_is_kept(bench) -> None:
    async with bench.running():
        for number in range(100):
            await bench.batching.put(photograph(number))
        await bench.until_published(100)
    assert list(chain(*bench.published)) == list(range(100))


async def test_the_next_batch_is_computed_while_one_is_published(models, tmp_path) -> None:
    publish = Held()
    bench = Bench(models, tmp_path, publish)
    async with bench.running():
        await bench.batching.put(photograph(0))
        await asyncio.wait_for(publish.begun.wait(), 5)
        bench.engine.busy.clear()
        await bench.batching.put(photograph(1))
        assert await asyncio.to_thread(bench.engine.busy.wait, 5)
        publish.go_on.set()


async def test_a_dying_stage_ends_all(models, tmp_path) -> None:
    async def publish(batch) -> None:
        raise ZeroDivisionError

    bench = Bench(models, tmp_path, publish)
    async with bench.running() as task:
        await bench.batching.put(photograph(0))
        await asyncio.wait([task], timeout=5)
        assert task.done()
        assert task.exception() is not None


def accuse(bench: Bench, number: int, deaths: int) -> None:
    bench.journal._deaths[photograph(number).position] = deaths


async def test_a_suspect_is_computed_alone(bench) -> None:
    accuse(bench, 2, 1)
    async with bench.running():
        bench.engine.go_on.clear()
        for number in range(5):
            await bench.batching.put(photograph(number))
        await asyncio.sleep(0.05)
        bench.engine.go_on.set()
        await bench.until_published(5)
    assert [2] in bench.published
    assert list(chain(*bench.published)) == list(range(5))


async def test_a_suspect_is_alone_in_the_journal(bench, monkeypatch) -> None:
    in_work = []
    write = bench.journal._write

    def note() -> None:
        write()
        in_work.append({position.offset for position in bench.journal._in_work})

    monkeypatch.setattr(bench.journal, "_write", note)
    accuse(bench, 1, 1)
    async with bench.running():
        for number in range(3):
            await bench.batching.put(photograph(number))
        await bench.until_published(3)
    assert {1} in in_work
    assert all(1 not in positions or positions == {1} for positions in in_work)


async def put_many(bench, count) -> None:
    for number in range(count):
        await bench.batching.put(photograph(number))


async def test_what_only_waits_is_not_in_work(models, tmp_path) -> None:
    """A kill that comes from outside while the broker is away accuses nobody: all is computed, or not begun."""
    bench = Bench(models, tmp_path, Held())
    async with bench.running(), asyncio.timeout(20):
        for computed in (1, 2, 3):  # one is being published, one waits for that, one for the one that waits
            await bench.batching.put(photograph(100 + computed))
            while sum(bench.engine.batches) < computed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        putting = asyncio.create_task(put_many(bench, 10 * LIMIT))
        while bench.batching._begun < 2 * LIMIT or bench.journal._in_work:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert bench.journal._in_work == set()
        putting.cancel()


async def test_a_model_that_is_loaded_accuses_nobody(bench, monkeypatch) -> None:
    loading, go_on = asyncio.Event(), asyncio.Event()
    assign = bench.diagnosis.assign

    async def slowly(photographs) -> None:
        loading.set()
        await go_on.wait()
        await assign(photographs)

    async with bench.running():
        monkeypatch.setattr(bench.diagnosis, "assign", slowly)
        await bench.batching.put(photograph(0))
        await asyncio.wait_for(loading.wait(), 5)
        assert bench.journal._in_work == set()
        go_on.set()
        await bench.until_published(1)


async def test_after_two_deaths_it_is_not_decoded_any_more(bench) -> None:
    accuse(bench, 0, 2)
    item = photograph(0)
    async with bench.running():
        await bench.batching.put(item)
        await bench.until_published(1)
    assert bench.engine.batches == []
    assert item.failure.kind == "unprocessable"
    assert item.features is None
    assert bench.journal.deaths(item.position) == 0
