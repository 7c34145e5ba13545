import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
CODE = """
import os, sys, time
from schemas.priority import yield_processor
yield_processor()
group = open('/proc/self/autogroup').read() if os.path.exists('/proc/self/autogroup') else 'nice 19'
print(os.nice(0), group.split()[-1], os.getpid(), flush=True)
time.sleep(float(sys.argv[1]))
sys.exit(3)
"""


def launch(seconds):
    return subprocess.Popen([sys.executable, "-c", CODE, str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_the_process_and_its_session_are_nice_and_ours_is_not():
    own = Path("/proc/self/autogroup")
    before = own.read_text() if own.exists() else None
    process = launch(0)
    out, _ = process.communicate(timeout=30)
    assert out.split()[:2] == ["19", "19"]
    assert process.returncode == 3
    assert before == (own.read_text() if own.exists() else None)
    assert os.nice(0) < 19


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_signals_reach_what_computes(number):
    process = launch(60)
    pid = int(process.stdout.readline().split()[2])
    process.send_signal(number)
    assert process.wait(10) in {143, -signal.SIGKILL, -signal.SIGTERM}
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.stdout.close()
