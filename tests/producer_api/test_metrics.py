import os
import subprocess
import sys

PARENT = """
import os, subprocess, sys
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
for lag in "1000", "0":  # the first ends, the second takes its place
    subprocess.run([sys.executable, "-c", f"from producer_api.metrics import LAG; LAG.set({lag})"], check=True)
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_a_process_that_died_is_not_heard_any_more(tmp_path):
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", PARENT], env=env, check=True, capture_output=True, text=True).stdout
    assert "leaf_api_lag_photographs 0.0" in told.splitlines()


DRIFT = """
from pathlib import Path
from types import SimpleNamespace
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from producer_api.analytics import drift_watch
from producer_api.analytics.drift import FeatureDrift

register = SimpleNamespace(timeline=lambda: SimpleNamespace(at=lambda _now: object()))
watch = drift_watch.DriftWatch(register, None, Path())
for arm, psi in ("old", 0.4), ("new", 0.01):
    found = FeatureDrift(feature="label", arm=arm, model="m@1", psi=psi, images=900, noise=0.01, level="none")
    drift_watch.drift = lambda *_: SimpleNamespace(features=[found])
    watch.measure()
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
print(generate_latest(registry).decode())
"""


def test_an_arm_that_ended_drifts_no_more(tmp_path):
    env = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", DRIFT], env=env, check=True, capture_output=True, text=True).stdout
    assert 'leaf_drift_psi{arm="new",feature="label",model="m@1"} 0.01' in told.splitlines()
    assert 'leaf_drift_psi{arm="old",feature="label",model="m@1"} NaN' in told.splitlines()
