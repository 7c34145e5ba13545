import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from producer_api.shared_metrics import PREFIX, shared_metrics

ROOT = Path(__file__).parents[2]
HOLDER = """
import signal, sys
from producer_api.shared_metrics import shared_metrics
with shared_metrics(2):
    print("there", flush=True)
    signal.pause()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def left(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(PREFIX)]


def test_one_process_needs_no_folder(tmp_path):
    with shared_metrics(1):
        assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ
        assert left(tmp_path) == []


def test_the_folder_goes_with_the_processes(tmp_path):
    with shared_metrics(2):
        assert [Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).name] == left(tmp_path)
    assert left(tmp_path) == []
    assert "PROMETHEUS_MULTIPROC_DIR" not in os.environ


def test_what_a_killed_one_left_goes_with_the_next_start_and_what_is_in_use_stays(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLDER], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        (theirs,) = left(tmp_path)
        with shared_metrics(2):
            assert theirs in left(tmp_path)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert left(tmp_path) == [theirs]
    with shared_metrics(2):
        assert theirs not in left(tmp_path)
