"""What the workers' tests share."""

from pathlib import Path

import pytest
from workers import FlatEngine, write_model

from schemas.card import ModelCard
from stream_workers.models import Registry


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A directory of models with flat@1."""
    write_model(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def engines() -> dict[str, FlatEngine]:
    """The engines that were loaded, by version."""
    return {}


@pytest.fixture
def registry(models: Path, engines: dict[str, FlatEngine]) -> Registry:
    """Models of the test double."""

    def load(_directory: Path, card: ModelCard) -> FlatEngine:
        engines[card.version] = FlatEngine()
        return engines[card.version]

    return Registry(models, load)
