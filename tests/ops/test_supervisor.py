import os
import signal
import sys
import time

import pytest

from ops.process import Process
from ops.supervisor import MAX_DEATHS, Supervisor
from schemas.errors import ConfigurationError


@pytest.fixture
def supervisor():
    """A supervisor whose `told` holds its sentences."""
    told = []
    running = Supervisor(tell=told.append, changed=lambda: told.append("changed"))
    running.told = told
    yield running
    running.stop()


def child(tmp_path, name, code):
    return Process(name, [sys.executable, "-u", "-c", code], log=tmp_path / f"{name}.log")


def check_until(supervisor, true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        supervisor.check()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_is_killed_is_started_again_at_once_and_said(supervisor, tmp_path):
    process = child(tmp_path, "sleeper", "import time; time.sleep(60)")
    supervisor.launch(process)
    killed = process.pid
    os.kill(killed, signal.SIGKILL)
    check_until(supervisor, lambda: process.alive() and process.pid != killed)
    assert supervisor.told == ["sleeper was killed by SIGKILL; it is started again", "changed"]


def test_the_others_are_left_alone(supervisor, tmp_path):
    one, two = (child(tmp_path, name, "import time; time.sleep(60)") for name in ("one", "two"))
    supervisor.launch(one)
    supervisor.launch(two)
    before = two.pid
    os.kill(one.pid, signal.SIGKILL)
    check_until(supervisor, lambda: "changed" in supervisor.told)
    assert two.pid == before


@pytest.mark.timeout(60)
def test_what_keeps_dying_ends_the_stack_with_its_last_words(supervisor, tmp_path):
    process = child(tmp_path, "hopeless", "import sys; print('no such luck'); sys.exit(4)")
    supervisor.launch(process)
    with pytest.raises(
        ConfigurationError, match=r"(?s)hopeless ended with status 4.*no such luck.*keeps dying"
    ) as caught:
        supervisor.watch()
    assert supervisor.told.count("changed") == MAX_DEATHS - 1
    assert str(process.log) in caught.value.remedy


def test_a_process_that_others_depend_on_is_not_replaced(supervisor, tmp_path):
    process = child(tmp_path, "memory", "import time; time.sleep(60)")
    supervisor.irreplaceable.add("memory")
    supervisor.launch(process)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(ConfigurationError, match="can't be started again"):
        check_until(supervisor, lambda: False)


def test_a_stop_goes_in_the_opposite_order(supervisor, tmp_path):
    code = f"""
import os, signal, sys, time
def stop(*_):
    with open({str(tmp_path / "order")!r}, "a") as file:
        file.write(sys.argv[1] + " ")
    sys.exit()
signal.signal(signal.SIGTERM, stop)
print("ready")
time.sleep(60)
"""
    for name in ("broker", "service", "door"):
        process = child(tmp_path, name, code)
        process.command.append(name)
        supervisor.launch(process)
        check_until(supervisor, lambda process=process: process.tail)
    supervisor.stop()
    assert (tmp_path / "order").read_text() == "door service broker "
