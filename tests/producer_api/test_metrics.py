import os
import subprocess
import sys

import pytest

SUCCESSION = """
import subprocess, sys
for lag in "1000", "0":  # the first ends, the second takes its place
    subprocess.run([sys.executable, "-c", f"from producer_api.metrics import LAG; LAG.set({lag})"], check=True)
"""

DRIFT = """
from pathlib import Path
from types import SimpleNamespace
from producer_api.analytics import drift_watch
from producer_api.analytics.drift import FeatureDrift

register = SimpleNamespace(timeline=lambda: SimpleNamespace(at=lambda _now: object()))
watch = drift_watch.DriftWatch(None, register, None, Path())
for arm, psi in ("old", 0.4), ("new", 0.01):
    found = FeatureDrift(feature="label", arm=arm, model="m@1", psi=psi, images=900, noise=0.01, level="none")
    drift_watch.drift = lambda *_: SimpleNamespace(features=[found])
    watch.measure()
"""

TELL = """
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


@pytest.fixture
def told(tmp_path):
    """Lines that a port tells which several processes share, after a program."""

    def run(program):
        env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        command = [sys.executable, "-c", program + TELL]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.splitlines()

    return run


def test_a_process_that_died_is_not_heard_any_more(told):
    assert "leaf_api_lag_photographs 0.0" in told(SUCCESSION)


def test_an_arm_that_ended_drifts_no_more(told):
    lines = told(DRIFT)
    assert 'leaf_drift_psi{arm="new",feature="label",model="m@1"} 0.01' in lines
    assert 'leaf_drift_psi{arm="old",feature="label",model="m@1"} NaN' in lines
