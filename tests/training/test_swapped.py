import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.cutouts import leaf_mask
from training.dataset import photographs
from training.swapped import swap_backgrounds


def test_the_leaf_stays_and_the_desk_goes(leaves: Path, tmp_path: Path) -> None:
    path = swap_backgrounds(leaves / "test.zip", tmp_path / "swapped")
    before = {Path(item.path).with_suffix("").as_posix(): item for item in photographs(leaves / "test.zip")}
    swapped = list(photographs(path))
    assert {item.label for item in swapped} == {item.label for item in before.values()} - {"not_tomato_leaf"}
    assert len(swapped) == 40
    for item in swapped[::7]:
        after = np.asarray(Image.open(io.BytesIO(item.content))).astype(int)
        original = before[Path(item.path).with_suffix("").as_posix()].content
        rgb = np.asarray(Image.open(io.BytesIO(original)))
        mask = leaf_mask(rgb)
        assert mask is not None
        assert np.abs(after - rgb)[mask == 255].max() <= 1
        assert np.abs(after - rgb)[mask == 0].mean() > 15


def test_what_can_not_be_decoded_is_skipped_and_named(
    leaves: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copy(leaves / "val.zip", tmp_path / "val.zip")
    with zipfile.ZipFile(tmp_path / "val.zip", "a") as archive:
        archive.writestr("healthy/broken.png", b"no picture")
        archive.writestr("holiday/beach.png", b"no picture")
    assert len(list(photographs(swap_backgrounds(tmp_path / "val.zip", tmp_path / "swapped")))) == 40
    assert "healthy/broken.png is skipped" in caplog.text
    assert "holiday is not used" in caplog.text


def test_the_copies_are_always_the_same(leaves: Path, tmp_path: Path) -> None:
    contents = []
    for name in ("one", "two"):
        with zipfile.ZipFile(swap_backgrounds(leaves / "val.zip", tmp_path / name)) as archive:
            contents.append({entry: archive.read(entry) for entry in archive.namelist()})
    assert contents[0] == contents[1]
