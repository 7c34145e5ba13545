import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def call(tmp_path):
    """`leaf ...` where nothing runs; gives its exit status and what it told."""

    def run(*arguments, **changes):
        environment = os.environ | {"KAFKA": "127.0.0.1:1", "REDIS": "127.0.0.1:1", "LEAF_VAR": str(tmp_path)} | changes
        command = [sys.executable, "-m", "ops.leaf", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=False
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


def test_a_replay_does_not_wait_for_a_broker_that_is_away(call):
    status, told = call("replay", "--run", "x")
    assert status == 1
    assert "Kafka does not answer" in told


def test_an_address_without_a_port_is_named(call):
    status, told = call("doctor", REDIS="cache")
    assert status == 1
    assert "REDIS in the environment is wrong" in told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("evaluate", "nowhere", "--model", "@5"), "there is no model @5"),
        (("ingest", "http://[::1", "--camera", "x"), "source: Invalid IPv6 URL"),
    ],
)
def test_what_is_mistyped_is_said_so(call, arguments, reason):
    status, told = call(*arguments)
    assert status == 1
    assert told.startswith("leaf:")
    assert reason in told
