"""The whole stack as `make run` starts it, in a directory of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import ROOT, Stack, start


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Real Kafka, Redis and nginx; one worker, two API processes."""
    if not any((ROOT / "models").glob("*/*/card.json")):
        pytest.fail("models/ holds no model")
    for name in ("KAFKA", "REDIS", "MODE"):
        os.environ.pop(name, None)
    running = start(tmp_path_factory.mktemp("stack"))
    yield running
    running.process.stop()


@pytest.fixture
def late_blight(leaves: Path) -> Path:
    """An untouched photograph of the test split."""
    return min((leaves / "samples" / "late_blight").glob("*.jpg"))
