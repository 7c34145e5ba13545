"""The first look: nothing but Python."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stack import ROOT, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def leaf(var: Path, *arguments: str) -> str:
    """What a `leaf` command tells beside the stack in `var`."""
    env = {name: value for name, value in os.environ.items() if name not in {"KAFKA", "REDIS", "MODE"}}
    command = [sys.executable, "-m", "ops.leaf", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=env | {"LEAF_VAR": str(var)}, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def bare_path(tmp_path: Path) -> str:
    """A PATH on which only Python is found."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(sys.executable)
    return str(tmp_path / "bin")


def test_embedded_mode_does_the_same_without_java_redis_or_nginx(tmp_path, bare_path, late_blight):
    stack = start(tmp_path / "var", MODE="embedded", PATH=bare_path, JAVA_HOME="")
    try:
        result = stack.result(stack.upload(late_blight)["task_id"])
        assert (result["status"], len(result["top3"])) == ("done", 3)
        told = leaf(tmp_path / "var", "export", "results", "--out", str(tmp_path / "results.csv"), "--json")
        assert json.loads(told)["rows"] == 1
    finally:
        stack.process.stop()
