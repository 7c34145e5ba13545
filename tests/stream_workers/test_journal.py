import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from stream_workers.journal import Journal
from stream_workers.photograph import Position


@pytest.fixture
def open_journal(tmp_path) -> Iterator[Callable[..., Journal]]:
    """Journals of this process, closed in the end."""
    with ExitStack() as stack:

        def make(topic: str = "topic") -> Journal:
            journal = Journal(tmp_path, topic)
            stack.callback(journal.close)
            return journal

        yield make


POSITIONS = [Position(0, 5), Position(3, 1_000_000)]


def work(directory, positions, ended, orderly) -> None:
    journal = Journal(directory, "topic")
    with journal.working_on(positions[len(ended) :]):
        with journal.working_on(ended):
            pass
        if orderly:
            journal.close()
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)


def child(directory, positions, ended=(), *, orderly=False) -> None:
    process = multiprocessing.get_context("fork").Process(target=work, args=(directory, positions, ended, orderly))
    process.start()
    process.join(20)
    assert process.exitcode == (0 if orderly else -signal.SIGKILL)


def test_a_kill_accuses_what_was_in_work(tmp_path, open_journal) -> None:
    child(tmp_path, POSITIONS, ended=POSITIONS[:1])
    journal = open_journal()
    assert [journal.deaths(position) for position in POSITIONS] == [0, 1]


def test_an_exception_accuses_too(tmp_path, open_journal) -> None:
    journal = open_journal()
    with pytest.raises(ZeroDivisionError), journal.working_on(POSITIONS):
        raise ZeroDivisionError
    journal._file.close()  # as the end of the process does
    assert open_journal().deaths(POSITIONS[0]) == 1


def test_a_shorter_list_takes_the_place_of_a_longer_one(tmp_path, open_journal) -> None:
    many = [Position(7, offset) for offset in range(64)]
    child(tmp_path, [*many, *POSITIONS], ended=many)
    journal = open_journal()
    assert [journal.deaths(position) for position in POSITIONS] == [1, 1]
    assert not any(journal.deaths(position) for position in many)


def test_deaths_add_up(tmp_path, open_journal) -> None:
    child(tmp_path, POSITIONS)
    child(tmp_path, POSITIONS[1:])
    assert [open_journal().deaths(position) for position in POSITIONS] == [1, 2]


def test_an_orderly_stop_accuses_nobody(tmp_path, open_journal) -> None:
    child(tmp_path, POSITIONS, orderly=True)
    assert open_journal().deaths(POSITIONS[0]) == 0


def test_the_living_are_left_alone(tmp_path, open_journal) -> None:
    go_on = multiprocessing.get_context("fork").Event()

    def hold() -> None:
        with Journal(tmp_path, "topic").working_on(POSITIONS):
            go_on.wait(30)

    process = multiprocessing.get_context("fork").Process(target=hold)
    process.start()
    while not list((tmp_path / "topic").glob(f"{process.pid}-*.journal")):
        time.sleep(0.01)
    time.sleep(0.1)
    journal = open_journal()
    assert journal.deaths(POSITIONS[0]) == 0
    process.kill()
    process.join()
    assert journal.deaths(POSITIONS[0]) == 0
    journal.adopt()
    assert journal.deaths(POSITIONS[0]) == 1


def test_each_death_counts_once_whoever_looks(tmp_path, open_journal) -> None:
    mine = open_journal()
    child(tmp_path, POSITIONS)
    mine.adopt()
    mine.adopt()
    assert mine.deaths(POSITIONS[0]) == 1


def test_what_was_dealt_with_is_forgotten(tmp_path, open_journal) -> None:
    child(tmp_path, POSITIONS)
    journal = open_journal()
    journal.forget(POSITIONS[:1])
    assert [journal.deaths(position) for position in POSITIONS] == [0, 1]
    journal.adopt()
    assert [journal.deaths(position) for position in POSITIONS] == [0, 1]


def test_what_is_in_work_now_counts_not_what_was_in_work_first(tmp_path, open_journal) -> None:
    def work_in_turn() -> None:
        journal = Journal(tmp_path, "topic")
        with journal.working_on(POSITIONS):
            pass
        with journal.working_on(POSITIONS[1:]):
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=work_in_turn)
    process.start()
    process.join(20)
    journal = open_journal()
    assert [journal.deaths(position) for position in POSITIONS] == [0, 1]


def test_forgetting_keeps_what_another_counted_meanwhile(tmp_path, open_journal) -> None:
    child(tmp_path, POSITIONS)
    mine = open_journal()
    later = Position(9, 9)
    child(tmp_path, [later])
    open_journal()
    mine.forget(POSITIONS[:1])
    assert open_journal().deaths(later) == 1
    assert mine.deaths(later) == 1


@pytest.mark.parametrize("step", ["open", "adopt", "forget"])
async def test_one_at_a_time(tmp_path, open_journal, step) -> None:
    """Two that count at once would lose each other's counts; a journal that is not locked yet would look abandoned."""
    child(tmp_path, POSITIONS)
    mine, other = open_journal(), open_journal()
    steps = {"open": open_journal, "adopt": mine.adopt, "forget": lambda: mine.forget(POSITIONS)}
    with other._locked():
        waiting = asyncio.create_task(asyncio.to_thread(steps[step]))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        assert len(list((tmp_path / "topic").glob("*.journal"))) == 2
    await asyncio.wait_for(waiting, 5)


def test_a_count_that_could_not_be_written_leaves_the_one_before(tmp_path, open_journal, monkeypatch) -> None:
    """As on a full disk, or at a kill in between."""
    child(tmp_path, POSITIONS)
    journal = open_journal()
    write = type(tmp_path).write_text

    def cut_short(path, text: str) -> None:
        write(path, text[: len(text) // 2])
        raise OSError

    monkeypatch.setattr(type(tmp_path), "write_text", cut_short)
    with pytest.raises(OSError):  # noqa: PT011
        journal.forget(POSITIONS[:1])
    monkeypatch.undo()
    assert open_journal().deaths(POSITIONS[1]) == 1


@pytest.mark.parametrize("damage", [b"", b"cut", b"     999[[0,5]]", bytes([1]) + bytes(15), b"\xff" * 24])
def test_a_damaged_file_accuses_nobody(tmp_path, damage, open_journal) -> None:
    (tmp_path / "topic").mkdir()
    (tmp_path / "topic" / "1.journal").write_bytes(damage)
    (tmp_path / "topic" / "deaths.json").write_bytes(damage)
    assert open_journal().deaths(POSITIONS[0]) == 0


def test_another_topic_is_another_journal(tmp_path, open_journal) -> None:
    child(tmp_path, POSITIONS)
    assert open_journal("recreated").deaths(POSITIONS[0]) == 0


def test_a_stop_waits_for_whoever_looks_at_the_journals(tmp_path, open_journal) -> None:
    """A file that is gone between being found and being opened would end the worker that looks."""
    mine, other = open_journal(), open_journal()
    with mine._locked():
        closing = threading.Thread(target=other.close)
        closing.start()
        time.sleep(0.2)
        assert other._path.exists()
    closing.join(5)
    assert not other._path.exists()
