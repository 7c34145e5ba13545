"""The first look: nothing but Python."""

import sys
from pathlib import Path

import pytest
from stack import start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


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
    finally:
        stack.process.stop()
