import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from ops.process import LOOPBACK, Process, free_port, is_free, program
from schemas.errors import ConfigurationError


def python(tmp_path, code, **options):
    return Process("child", [sys.executable, "-u", "-c", code], log=tmp_path / "log" / "child.log", **options)


def wait_until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_free_port_is_the_first_from_the_wanted_one_on():
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert free_port(port) > port


def test_a_missing_program_names_its_package():
    with pytest.raises(ConfigurationError, match="no-such-program is not installed") as caught:
        program("no-such-program", "some-package")
    assert "apt-get install some-package" in caught.value.remedy


def test_output_goes_to_the_log_and_to_the_listener(tmp_path):
    lines = []
    child = python(tmp_path, "print('one'); print('two')")
    child.on_line = lambda name, line: lines.append((name, line))
    child.launch()
    wait_until(lambda: len(lines) == 2)
    child.kill()
    assert lines == [("child", "one"), ("child", "two")]
    assert child.log.read_text() == "one\ntwo\n"


def test_a_child_that_dies_is_reported_with_its_last_words(tmp_path):
    child = python(tmp_path, "import sys; print('the reason'); sys.exit(3)", ready=lambda: False)
    with pytest.raises(ConfigurationError, match=r"(?s)ended with status 3.*the reason"):
        child.start()


def test_a_full_disk_is_named(tmp_path):
    child = python(tmp_path, "raise OSError(28, 'No space left on device')", ready=lambda: False)
    with pytest.raises(ConfigurationError, match="disk is full"):
        child.start()


def test_a_child_that_never_answers_is_stopped(tmp_path):
    child = python(tmp_path, "import time; time.sleep(60)", ready=lambda: False, start_seconds=0.3)
    with pytest.raises(ConfigurationError, match="did not answer within"):
        child.start()
    assert not child.alive()


def test_stop_asks_first_and_kills_what_does_not_listen(tmp_path):
    polite = python(tmp_path, "import signal, time; signal.signal(15, lambda *_: exit(7)); print(1); time.sleep(60)")
    polite.launch()
    wait_until(lambda: polite.tail)
    polite.stop()
    assert polite.returncode == 7
    deaf = python(
        tmp_path, "import signal, time; signal.signal(15, signal.SIG_IGN); print(1); time.sleep(60)", stop_seconds=0.3
    )
    deaf.launch()
    wait_until(lambda: deaf.tail)
    deaf.stop()
    assert deaf.returncode == -signal.SIGKILL


def test_what_a_dead_child_left_behind_is_killed(tmp_path):
    code = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid); time.sleep(60)"
    child = python(tmp_path, code)
    child.launch()
    wait_until(lambda: child.tail)
    grandchild = int(child.tail[0])
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: not child.alive())
    assert psutil.pid_exists(grandchild)
    child.kill()
    wait_until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")


def test_children_end_when_their_parent_is_killed(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from ops.process import Process
child = Process("child", ["sleep", "60"], log=Path({str(tmp_path)!r}) / "log")
child.launch()
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
