import multiprocessing

import pytest

from producer_api.ingestion.journal import Journal, locked
from schemas.errors import ConfigurationError


def test_what_is_noted_is_held_by_the_next_process_too(tmp_path):
    journal = Journal(tmp_path, "topic-1")
    assert journal.read_to("s") == {}
    journal.note(["a", "b", "a"], ["s", "t"], {0: 3, 1: 0})
    journal.close()
    again = Journal(tmp_path, "topic-1")
    assert again.holds("a")
    assert not again.holds("c")
    assert again.read_to("t") == {0: 3, 1: 0}
    again.close()


def test_ids_without_offsets_move_nothing(tmp_path):
    journal = Journal(tmp_path, "topic-1")
    journal.note(["a"], ["s"], {0: 3})
    journal.note(["b"])
    assert journal.read_to("s") == {0: 3}
    journal.close()


@pytest.mark.parametrize("how", ["recreated", "set back"])
def test_another_log_begins_another_journal(tmp_path, how):
    journal = Journal(tmp_path, "topic-1")
    journal.note(["a"], ["s"], {0: 3})
    if how == "set back":
        journal.begin_anew()
    else:
        journal.close()
        journal = Journal(tmp_path, "topic-2")
    assert not journal.holds("a")
    assert journal.read_to("s") == {}
    journal.close()


def _hold(directory, held, release):
    with locked(directory, "hash", "the roof"):
        held.set()
        release.wait(10)


def test_one_ingest_per_source(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    assert held.wait(10)
    with (
        pytest.raises(ConfigurationError, match="the roof is being ingested already"),
        locked(tmp_path, "hash", "the roof"),
    ):
        pass
    with locked(tmp_path, "other", "the door"):
        pass
    other.kill()
    other.join()
    with locked(tmp_path, "hash", "the roof"):
        pass
