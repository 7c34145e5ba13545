from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from schemas.experiment import Arm, Experiment
from schemas.timeline import Timeline

START = datetime(2026, 1, 1, tzinfo=UTC)


def version(name, number, second, status="running", salt="s"):
    return Experiment(
        name=name,
        version=number,
        status=status,
        salt=salt,
        arms=[Arm(name="a", model="resnet50", version="1", weight=1)],
        effective_at=START + timedelta(seconds=second),
    )


def at(timeline, second):
    found = timeline.at((START.timestamp() + second) * 1000)
    return found and found.id


def test_versions_hold_from_their_moment_on():
    timeline = Timeline([version("x", 1, 0), version("x", 2, 10)])
    assert [at(timeline, second) for second in (-0.001, 0, 9.999, 10, 99)] == [None, "x@1", "x@1", "x@2", "x@2"]


def test_a_stopped_version_stays_in_force_until_the_next_start():
    timeline = Timeline([version("x", 1, 0), version("x", 2, 10, "stopped"), version("y", 1, 20)])
    assert [at(timeline, second) for second in (5, 15, 25)] == ["x@1", "x@2", "y@1"]


def test_the_first_record_of_an_id_counts():
    first, second = version("x", 1, 0, salt="first"), version("x", 1, 0, salt="second")
    assert Timeline([first, second]).at(2e12) == first
    assert Timeline([first]).with_(second).at(2e12) == first


def test_of_two_started_at_once_the_first_in_the_log_runs_and_the_other_never_does():
    x, y = version("x", 1, 1), version("y", 1, 0.999)
    timeline = Timeline([x, y, version("x", 2, 9, "stopped"), version("y", 2, 20)])
    assert [at(timeline, second) for second in (0.999, 1, 5, 10, 20)] == [None, "x@1", "x@1", "x@2", "y@2"]
    assert timeline.is_void(y)
    assert not timeline.is_void(x)


def test_stopping_what_is_not_in_force_is_void():
    assert Timeline([version("x", 1, 0, "stopped")]).line == []
    timeline = Timeline([version("x", 1, 0), version("y", 1, 1, "stopped"), version("x", 2, 2, "stopped")])
    assert [found.id for found in timeline.line] == ["x@1", "x@2"]


def test_neither_versions_nor_moments_go_back():
    timeline = Timeline([version("x", 1, 0), version("x", 3, 5), version("x", 2, 6), version("x", 4, 4)])
    assert [found.id for found in timeline.line] == ["x@1", "x@3"]
    assert [found.id for found in timeline.versions("x")] == ["x@1", "x@2", "x@3", "x@4"]


records = st.builds(
    version,
    st.sampled_from("xyz"),
    st.integers(1, 4),
    st.integers(0, 8),
    st.sampled_from(["running", "stopped"]),
)


@given(st.lists(records), st.lists(records))
def test_nothing_that_comes_later_takes_back_what_held(history, later):
    line = Timeline(history).line
    assert Timeline([*history, *later]).line[: len(line)] == line


@given(st.lists(records, unique_by=lambda record: record.id))
def test_never_do_two_experiments_run_at_once(history):
    line = Timeline(history).line
    for before, after in pairwise(line):
        assert before.effective_at <= after.effective_at
        assert before.name == after.name or before.status == "stopped"
