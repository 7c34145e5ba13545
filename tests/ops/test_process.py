import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ops.process import Process, _tied, program
from schemas.errors import ConfigurationError


def python(tmp_path, code, **options):
    return Process("child", [sys.executable, "-u", "-c", code], log=tmp_path / "log" / "child.log", **options)


def wait_until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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


def test_a_child_may_keep_the_bytecode_of_what_it_imports(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    child = python(tmp_path, "import sys; print(sys.dont_write_bytecode)")
    child.launch()
    wait_until(lambda: child.tail)
    child.kill()
    assert child.tail[0] == "False"


def test_a_child_that_dies_is_reported_with_its_last_words(tmp_path):
    child = python(tmp_path, "import sys; print('the reason'); sys.exit(3)", ready=lambda: False)
    with pytest.raises(ConfigurationError, match=r"(?s)ended with status 3.*the reason"):
        child.start()


def test_a_full_disk_is_named_wherever_the_child_said_so(tmp_path):
    code = "print('No space left on device'); print('  at a line of a stack trace\\n' * 40); exit(1)"
    child = python(tmp_path, code, ready=lambda: False)
    with pytest.raises(ConfigurationError, match="disk is full"):
        child.start()


def test_a_log_on_a_full_disk_neither_blocks_the_child_nor_breaks_its_reader(tmp_path):
    child = Process("child", [sys.executable, "-c", "print('x' * 200_000)"], log=Path("/dev/full"))
    child.launch()
    wait_until(lambda: not child.alive())
    child.kill()
    assert (child.returncode, len(child.tail)) == (0, 1)


def test_what_can_not_be_prepared_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    def prepare():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    child = python(tmp_path, "")
    monkeypatch.setattr(child, "prepare", prepare)
    with pytest.raises(ConfigurationError, match="No space left on device") as caught:
        child.launch()
    assert caught.value.remedy == "Free some space."


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


def test_a_child_whose_parent_died_too_early_to_be_noticed_does_not_begin(tmp_path):
    began = tmp_path / "began"
    stranger = [part.replace(str(os.getpid()), "1") for part in _tied(["touch", str(began)])]
    assert subprocess.run(stranger, check=False).returncode == 1
    assert not began.exists()
    assert subprocess.run(_tied(["touch", str(began)]), check=False).returncode == 0
    assert began.exists()


def test_a_log_is_bounded_however_long_its_process_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("ops.process.LOG_BYTES", 10_000)
    process = python(tmp_path, "for number in range(10_000): print(f'line {number:05}')")
    process.launch()
    wait_until(lambda: not process.alive())
    process.kill()
    files = sorted(process.log.parent.iterdir())
    assert [file.name for file in files] == ["child.log", "child.log.1"]
    assert sum(file.stat().st_size for file in files) < 2 * 10_000 + 100
    lines = (files[1].read_text() + files[0].read_text()).split("\n")
    assert lines[-2] == "line 09999"
    assert len(set(lines)) == len(lines) == 10_000 - int(lines[0][5:]) + 1
