"""The short chaos run: `make chaos` is the long one."""

import json
import os
import subprocess
import sys

import pytest
from stack import ROOT

pytestmark = [pytest.mark.chaos, pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(420)]

KEYS = [
    "accepted",
    "in_topic",
    "results",
    "lost",
    "counted",
    "double_counted",
    "dead_letters",
    "poison",
    "out_of_order",
    "kills",
    "duplicates_absorbed",
    "seconds",
]


def test_nothing_is_lost_or_counted_twice_while_everything_is_killed(tmp_path):
    options = ["--images", "400", "--kills", "10", "--duration", "60", "--seed", "7"]
    env = os.environ | {"LEAF_VAR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "ops.chaos", *options], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    outcome = json.loads(done.stdout.splitlines()[-1]) if done.stdout else done.stderr[-3000:]
    said = [f"{log.name}: {log.read_text()[-1000:]}" for log in tmp_path.glob("chaos/log/*")]
    assert done.returncode == 0, "\n".join([str(outcome), done.stderr, *said])
    assert list(outcome) == KEYS
    assert list(outcome["kills"]) == ["worker", "sink", "api", "redis", "broker"]
    assert outcome["in_topic"] == outcome["results"] == outcome["counted"] >= 400
    assert outcome["dead_letters"] == outcome["poison"] == 7
    assert min(outcome["kills"].values()) >= 2
