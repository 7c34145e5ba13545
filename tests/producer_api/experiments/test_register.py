import threading
from datetime import UTC, datetime, timedelta

import pytest

from producer_api.errors import ConflictError, DefinitionError, UnknownExperimentError
from producer_api.experiments.definition import Definition
from producer_api.experiments.register import Register
from schemas.errors import BrokerUnavailableError
from schemas.experiment import Arm, Shadow
from schemas.timeline import Timeline

NOW = datetime(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=UTC)
HALVES = [
    Arm(name="old", model="resnet50", version="1", weight=0.5),
    Arm(name="new", model="efficientnetb0", version="1", weight=0.5),
]
TENTH = [arm.model_copy(update={"weight": weight}) for arm, weight in zip(HALVES, (0.9, 0.1), strict=True)]


class Records:
    """The log in memory; `meanwhile` is what another process writes just before our next record."""

    def __init__(self):
        self.written, self.meanwhile, self.away = [], [], False

    def read(self):
        if self.away:
            raise BrokerUnavailableError("away")
        return Timeline(self.written)

    def known(self):
        return Timeline(self.written)

    def append(self, experiment):
        self.written += [*self.meanwhile, experiment]
        self.meanwhile = []


@pytest.fixture
def records():
    return Records()


@pytest.fixture
def register(records, models):
    return Register(records, models, clock=lambda: NOW)


def ids(records):
    return [f"{found.id} {found.status}" for found in records.written]


def test_a_new_experiment_takes_effect_a_second_later_in_whole_milliseconds(register, records):
    history = register.define("x", Definition(arms=HALVES))
    assert history.current == records.written[0]
    assert history.current.effective_at == datetime(2026, 11, 23, 12, 0, 1, 123_000, tzinfo=UTC)
    assert (history.current.version, history.current.salt, history.current.sticky_key) == (1, "x", "image")
    assert (history.state, history.in_force, history.void) == ("running", True, [])


def test_what_is_left_out_stays_as_it_is(register):
    shadow = Shadow(name="next", model="resnet50", version="2")
    register.define("x", Definition(arms=HALVES, shadows=[shadow], sticky_key="camera", salt="pepper"))
    current = register.define("x", Definition(arms=TENTH)).current
    assert (current.version, current.shadows, current.sticky_key, current.salt) == (2, [shadow], "camera", "pepper")
    assert [arm.weight for arm in current.arms] == [0.9, 0.1]
    assert register.define("x", Definition(shadows=[])).current.shadows == []


def test_versions_never_share_a_moment(register):
    first = register.define("x", Definition(arms=HALVES)).current
    second = register.define("x", Definition(arms=TENTH)).current
    assert second.effective_at == first.effective_at + timedelta(milliseconds=1)


def test_saying_it_again_writes_nothing(register, records):
    for _ in range(2):
        register.define("x", Definition(arms=HALVES))
    for _ in range(2):
        register.define("x", Definition(status="stopped"))
    assert ids(records) == ["x@1 running", "x@2 stopped"]


def test_a_second_experiment_is_refused_until_the_first_is_stopped(register, records):
    register.define("x", Definition(arms=HALVES))
    with pytest.raises(ConflictError, match="x is running") as refused:
        register.define("y", Definition(arms=HALVES))
    assert "leaf experiments stop x" in refused.value.remedy
    register.define("x", Definition(status="stopped"))
    assert register.define("y", Definition(arms=HALVES)).in_force
    assert [(found.name, found.state, found.in_force) for found in register.all()] == [
        ("y", "running", True),
        ("x", "stopped", False),
    ]
    with pytest.raises(ConflictError, match="x is not running"):
        register.define("x", Definition(status="stopped"))
    register.define("y", Definition(status="stopped"))
    assert register.define("x", Definition()).current.version == 3
    assert ids(records) == ["x@1 running", "x@2 stopped", "y@1 running", "y@2 stopped", "x@3 running"]


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (Definition(), "needs its arms"),
        (Definition(arms=[HALVES[0]]), "weights must sum to 1, these sum to 0.5"),
        (Definition(arms=[HALVES[0], HALVES[0]]), "different names"),
        (Definition(arms=[]), "arms"),
        (Definition(arms=HALVES, salt=""), "salt"),
        (Definition(arms=[HALVES[0].model_copy(update={"weight": 1.0, "version": "9"})]), "no model resnet50@9"),
        (Definition(arms=[HALVES[0].model_copy(update={"weight": 1.0, "model": "../x"})]), r"no model \.\./x@1"),
        (Definition(arms=HALVES, shadows=[Shadow(name="n", model="vgg", version="1")]), "no model vgg@1"),
    ],
)
def test_a_bad_definition_is_refused_with_the_reason_and_changes_nothing(register, records, definition, reason):
    with pytest.raises(DefinitionError, match=reason) as refused:
        register.define("x", definition)
    assert refused.value.remedy
    assert records.written == []


def test_a_model_that_is_damaged_is_refused_with_the_reason(register, records):
    damaged = HALVES[0].model_copy(update={"weight": 1.0, "version": "6"})
    with pytest.raises(DefinitionError, match=r"old: .*weights.npz does not match the checksum"):
        register.define("x", Definition(arms=[damaged]))
    assert records.written == []


class Workers:
    """What the workers say."""

    def __init__(self, refused):
        self.refused, self.asked = refused, []

    def refusals(self, models):
        self.asked.append(models)
        return self.refused


def test_what_a_worker_can_not_load_is_refused_with_its_reason(records, models):
    workers = Workers({"efficientnetb0@1": "it does not compute: no memory. Export the model again."})
    register = Register(records, models, clock=lambda: NOW, trials=workers)
    with pytest.raises(DefinitionError, match=r"new: the workers can't load efficientnetb0@1: it does not compute"):
        register.define("x", Definition(arms=HALVES, shadows=[Shadow(name="s", model="resnet50", version="2")]))
    assert records.written == []
    assert [sorted(asked) for asked in workers.asked] == [["efficientnetb0@1", "resnet50@1", "resnet50@2"]]


def test_an_experiment_takes_effect_a_second_after_the_workers_have_answered(records, models):
    moments = iter([NOW, NOW + timedelta(seconds=20)])
    register = Register(records, models, clock=lambda: next(moments), trials=Workers({}))
    started = register.define("x", Definition(arms=HALVES)).current
    assert started.effective_at == datetime(2026, 11, 23, 12, 0, 21, 123_000, tzinfo=UTC)


def test_workers_are_not_asked_where_nothing_changes_or_all_ends(records, models):
    workers = Workers({})
    register = Register(records, models, clock=lambda: NOW, trials=workers)
    for definition in (Definition(arms=HALVES), Definition(arms=HALVES), Definition(status="stopped")):
        register.define("x", definition)
    assert len(workers.asked) == 1


def test_a_model_that_went_away_does_not_keep_its_experiment_from_being_stopped(register, records, tmp_path):
    register.define("x", Definition(arms=HALVES))
    assert Register(records, tmp_path).define("x", Definition(status="stopped")).state == "stopped"


def test_there_is_no_such_experiment(register):
    register.define("x", Definition(arms=HALVES))
    with pytest.raises(UnknownExperimentError, match="'z'") as unknown:
        register.get("z")
    assert "x" in unknown.value.remedy


def test_the_first_record_of_an_id_counts_and_is_kept_from_compaction(register, records):
    others = register.define("x", Definition(arms=HALVES)).current.model_copy(update={"version": 2, "arms": TENTH})
    records.meanwhile = [others]
    with pytest.raises(ConflictError, match="x@2 was defined otherwise"):
        register.define("x", Definition(salt="pepper"))
    assert register.get("x").current == others
    compacted = {found.id: found for found in records.written}
    assert compacted["x@2"] == others


def test_of_two_started_at_the_same_moment_one_runs_and_the_other_is_told(register, records):
    other = Register(Records(), register._models, clock=lambda: NOW)
    records.meanwhile = [other.define("y", Definition(arms=HALVES)).current]
    with pytest.raises(ConflictError, match="another experiment was started"):
        register.define("x", Definition(arms=HALVES))
    assert [found.name for found in register.all()] == ["y"]
    register.define("y", Definition(status="stopped"))
    history = register.define("x", Definition(arms=HALVES))
    assert (history.current.version, history.void) == (2, [1])


def test_what_was_confirmed_is_not_taken_back_by_a_slow_process_with_an_earlier_moment(register, records):
    slow = Register(Records(), register._models, clock=lambda: NOW - timedelta(seconds=1))
    late = slow.define("y", Definition(arms=HALVES)).current
    register.define("x", Definition(arms=HALVES))
    records.append(late)
    assert [(found.name, found.state) for found in register.all()] == [("x", "running")]


def test_nothing_is_written_while_the_topic_cannot_be_read(register, records):
    records.away = True
    with pytest.raises(BrokerUnavailableError):
        register.define("x", Definition(arms=HALVES))
    assert records.written == []


@pytest.mark.broker
def test_two_processes_changing_at_once_agree_on_one_history(registers):
    """Each of 2 x 8 concurrent changes is either confirmed and in the history, or refused and not."""
    registers[0].define("x", Definition(arms=HALVES))
    confirmed, refused = [], []

    def change(register, who):
        for number in range(8):
            try:
                register.define("x", Definition(salt=f"{who}-{number}"))
                confirmed.append(f"{who}-{number}")
            except ConflictError:
                refused.append(f"{who}-{number}")

    threads = [threading.Thread(target=change, args=(register, who)) for who, register in enumerate(registers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one, other = (register.get("x") for register in registers)
    assert one == other
    assert len(confirmed) + len(refused) == 16
    assert {found.salt for found in one.versions[1:]} == set(confirmed)
    assert one.void == []


@pytest.mark.broker
def test_two_processes_starting_different_experiments_at_once_run_one(registers):
    outcomes = {}
    ready = threading.Barrier(2)

    def start(register, name):
        ready.wait()
        try:
            outcomes[name] = register.define(name, Definition(arms=HALVES)).state
        except ConflictError as error:
            outcomes[name] = error

    threads = [threading.Thread(target=start, args=pair) for pair in zip(registers, "xy", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [name for name, outcome in outcomes.items() if outcome == "running"]
    assert len(winners) == 1
    assert [found.name for found in registers[0].all()] == winners


def test_to_look_waits_for_no_broker(register, records):
    register.define("x", Definition(arms=HALVES))
    records.away = True
    assert [history.name for history in register.all()] == ["x"]
    assert register.get("x").current.version == 1
    assert register.timeline().names() == ["x"]
    with pytest.raises(BrokerUnavailableError):
        register.define("x", Definition(arms=TENTH))
