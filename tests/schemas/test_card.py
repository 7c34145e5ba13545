import hashlib
import json
from datetime import UTC, datetime

import pytest

from schemas.card import Calibration, ModelCard, Preprocessing
from schemas.errors import ModelError


@pytest.fixture
def directory(tmp_path):
    directory = tmp_path / "resnet50" / "1"
    directory.mkdir(parents=True)
    (directory / "weights.bin").write_bytes(b"weights")
    card = ModelCard(
        name="resnet50",
        version="1",
        architecture="resnet50",
        preprocessing=Preprocessing(px=128),
        files={"weights.bin": hashlib.sha256(b"weights").hexdigest()},
        batch_ceiling={"openvino": 32},
        calibration=Calibration(temperature=1.1, confidence_threshold=0.5, gate_temperature=1, gate_threshold=0.3),
        metrics={},
        data_fingerprint="d",
        code_fingerprint="c",
        recipe={"epochs": 3},
        trained_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    (directory / "card.json").write_text(card.model_dump_json())
    return directory


def change(directory, **changes):
    path = directory / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_card_that_fits_loads(directory):
    assert ModelCard.load(directory).id == "resnet50@1"


def test_changed_weights_are_refused(directory):
    (directory / "weights.bin").write_bytes(b"weightz")
    with pytest.raises(ModelError, match="checksum"):
        ModelCard.load(directory)


def test_missing_files_are_named(directory):
    (directory / "weights.bin").unlink()
    with pytest.raises(ModelError, match=r"weights\.bin is missing"):
        ModelCard.load(directory)
    (directory / "card.json").unlink()
    with pytest.raises(ModelError, match=r"card\.json does not exist"):
        ModelCard.load(directory)


def test_a_card_in_the_wrong_place_is_refused(directory):
    change(directory, version="2")
    with pytest.raises(ModelError, match="resnet50@2"):
        ModelCard.load(directory)


@pytest.mark.parametrize("wrong", [{"labels": ["a", "b"]}, {"calibration": {}}, {"preprocessing": {"px": 5}}])
def test_a_card_that_does_not_fit_is_refused(directory, wrong):
    change(directory, **wrong)
    with pytest.raises(ModelError, match="not a model card"):
        ModelCard.load(directory)
