from ops.chaos.sabotage import GUARDS
from result_sink.store import SCRIPT


def test_the_guards_that_are_taken_out_are_there():
    assert len(GUARDS.findall(SCRIPT)) == 3
