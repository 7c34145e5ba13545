import zipfile
from pathlib import Path

import numpy as np
import pytest
from leaves import encoded, leaf, scene
from PIL import Image

from training.dataset import NEGATIVE, DatasetError
from training.prepared import SIDE, Prepared, prepare, resized


def test_photographs_of_any_size_become_squares_with_the_leaf_cut_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("early_blight/small.png", encoded(leaf(1, 0, side=96)))
        archive.writestr("healthy/broken.png", encoded(leaf(2, 0))[:300])
        archive.writestr("healthy/large.jpg", encoded(leaf(2, 0, side=400), "JPEG"))
        archive.writestr("not_tomato_leaf/wall.png", encoded(scene(0)))
    made = prepare(tmp_path / "train.zip", tmp_path / "prepared")
    assert made.rgba.shape == (3, SIDE, SIDE, 4)
    assert made.labels.tolist() == [1, 2, NEGATIVE]
    assert made.rgba[:, 64, 64, 3].tolist() == [255, 255, 0]
    assert resized(made, 32).shape == (3, 32, 32, 3)
    again = Prepared.load(tmp_path / "prepared")
    np.testing.assert_array_equal(again.rgba, made.rgba)
    assert again.fingerprint == made.fingerprint


def test_the_fingerprint_tells_other_photographs(leaves: Path, tmp_path: Path) -> None:
    val, test = prepare(leaves / "val.zip", tmp_path / "a"), prepare(leaves / "test.zip", tmp_path / "b")
    assert val.fingerprint != test.fingerprint
    assert prepare(leaves / "val.zip", tmp_path / "c").fingerprint == val.fingerprint


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.png").write_bytes(encoded(scene(1)))
    with pytest.raises(DatasetError, match="no photograph"):
        prepare(tmp_path / "x", tmp_path / "prepared")


def test_what_was_not_prepared_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no prepared photographs") as told:
        Prepared.load(tmp_path)
    assert "python -m training prepare" in told.value.advice


def test_photographs_are_read_as_at_the_edge_and_a_bomb_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "in" / "healthy").mkdir(parents=True)
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    Image.new("L", (20000, 9000)).save(tmp_path / "in" / "healthy" / "bomb.png")
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "in" / "healthy" / "deep.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray((ramp / 257).astype(np.uint8)).save(tmp_path / "in" / "healthy" / "turned.png", exif=turned)
    Image.fromarray((ramp / 257).astype(np.uint8)).save(tmp_path / "in" / "healthy" / "z.tif")
    made = prepare(tmp_path / "in", tmp_path / "prepared")
    assert made.rgba[..., :3].mean(axis=(1, 2, 3)) == pytest.approx([127, 127, 127], abs=3)
    assert made.rgba[1, 64, :, 0].astype(int).tolist() == sorted(made.rgba[1, 64, :, 0].astype(int), reverse=True)
