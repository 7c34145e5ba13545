from pathlib import Path

import pytest
from leaves import encoded, leaf

from training.dataset import DatasetError
from training.workshop import Workshop


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    for split in ("train", "val"):
        picture = tmp_path / "leaves" / split / "healthy" / "leaf.png"
        picture.parent.mkdir(parents=True)
        picture.write_bytes(encoded(leaf(1, 0)))
    return Workshop(tmp_path / "leaves", tmp_path / "work", tmp_path / "models")


def test_only_what_is_not_prepared_is_prepared_again(workshop: Workshop) -> None:
    workshop.prepare(again=False)
    finished, cut_short = (workshop.work / "data" / split / "about.json" for split in ("train", "val"))
    cut_short.unlink()
    before = finished.stat().st_mtime_ns
    workshop.prepare(again=False)
    assert cut_short.exists()
    assert finished.stat().st_mtime_ns == before
    workshop.prepare(again=True)
    assert finished.stat().st_mtime_ns > before


def test_training_without_prepared_photographs_says_what_to_do(workshop: Workshop) -> None:
    with pytest.raises(DatasetError, match="no prepared photographs") as raised:
        workshop.train("resnet50", {"steps": 1})
    assert "training prepare" in raised.value.remedy
    assert not (workshop.work / "runs").exists()
