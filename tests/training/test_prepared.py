import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from leaves import encoded, leaf, scene
from PIL import Image

from training.dataset import NEGATIVE, OTHER_PROBLEM, DatasetError
from training.layout import Collection, collections
from training.prepared import SIDE, Prepared, prepare, resized


def prepare_lab(folder: Path, directory: Path, split: str = "train") -> Prepared:
    return prepare([Collection("lab", folder)], split, directory)


def test_photographs_of_any_size_become_squares_with_the_leaf_cut_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.writestr("early_blight/small.png", encoded(leaf(1, 0, side=96)))
        archive.writestr("healthy/broken.png", encoded(leaf(2, 0))[:300])
        archive.writestr("healthy/large.jpg", encoded(leaf(2, 0, side=400), "JPEG"))
        archive.writestr("not_tomato_leaf/wall.png", encoded(scene(0)))
    made = prepare_lab(tmp_path, tmp_path / "prepared")
    assert made.rgba.shape == (3, SIDE, SIDE, 4)
    assert made.labels.tolist() == [1, 2, NEGATIVE]
    assert made.rgba[:, SIDE // 2, SIDE // 2, 3].tolist() == [255, 255, 0]
    assert resized(made, 32).shape == (3, 32, 32, 3)
    again = Prepared.load(tmp_path / "prepared")
    np.testing.assert_array_equal(again.rgba, made.rgba)
    assert again.fingerprint == made.fingerprint


def test_the_fingerprint_tells_other_photographs(leaves: Path, tmp_path: Path) -> None:
    val, test = (prepare_lab(leaves, tmp_path / split, split) for split in ("val", "test"))
    assert val.fingerprint != test.fingerprint
    assert prepare_lab(leaves, tmp_path / "again", "val").fingerprint == val.fingerprint


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.png").write_bytes(encoded(scene(1)))
    with pytest.raises(DatasetError, match="no photograph"):
        prepare_lab(tmp_path, tmp_path / "prepared")


def test_what_was_not_prepared_says_how_to(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no prepared photographs") as told:
        Prepared.load(tmp_path)
    assert "python -m training prepare" in told.value.advice


def test_photographs_are_read_as_at_the_edge_and_a_bomb_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "train" / "healthy").mkdir(parents=True)
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    Image.new("L", (20000, 9000)).save(tmp_path / "train" / "healthy" / "bomb.png")
    Image.fromarray(ramp.astype(np.uint16)).save(tmp_path / "train" / "healthy" / "deep.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray((ramp / 257).astype(np.uint8)).save(tmp_path / "train" / "healthy" / "turned.png", exif=turned)
    Image.fromarray((ramp / 257).astype(np.uint8)).save(tmp_path / "train" / "healthy" / "z.tif")
    made = prepare_lab(tmp_path, tmp_path / "prepared")
    assert made.rgba[..., :3].mean(axis=(1, 2, 3)) == pytest.approx([127, 127, 127], abs=3)
    assert made.rgba[1, SIDE // 2, :, 0].astype(int).tolist() == sorted(
        made.rgba[1, SIDE // 2, :, 0].astype(int), reverse=True
    )


def test_field_photographs_keep_their_source_and_shape(train: Prepared) -> None:
    assert train.sources == ("lab", "north", "south")
    assert train.field.tolist() == (train.source > 0).tolist()
    assert train.aspect[train.field] == pytest.approx(np.full(train.field.sum(), 160 / 128))
    assert (train.aspect[~train.field] == 1).all()
    assert not train.rgba[train.field, ..., 3].any(), "no leaf is cut out of a field photograph"
    assert (train.labels[train.field] == OTHER_PROBLEM).sum() == 4
    with pytest.raises(DatasetError, match="no source west"):
        train.of_sources("north", "west")


def test_leaf_boxes_give_crops_of_single_leaves(tmp_path: Path) -> None:
    picture = np.zeros((200, 400, 3), np.uint8)
    picture[40:160, 220:360] = (0, 200, 0)
    (tmp_path / "more").mkdir()
    for folder in (tmp_path, tmp_path / "more"):
        for split in ("train", "val"):
            with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive:
                archive.writestr("healthy/a.png" if folder == tmp_path else "early_blight/b.png", encoded(picture))
    boxes = [
        ["Tomato leaf late blight", 290 / 400, 0.5, 140 / 400, 120 / 200],
        ["Tomato leaf", 0.1, 0.1, 0.05, 0.05],
        ["Tomato leaf", 0.5, 0.5, 1.0, 0.95],
    ]
    (tmp_path / "more" / "boxes.json").write_text(json.dumps({"early_blight/b.png": boxes}))
    made = prepare(collections(tmp_path), "train", tmp_path / "prepared")
    assert made.boxed.tolist() == [False, False, True], "too small, and the whole image: no crops"
    assert made.labels.tolist() == [2, 1, 3]
    assert made.aspect[2] == pytest.approx(140 / 120, abs=0.01)
    assert (made.rgba[2, ..., 1] > 100).mean() == pytest.approx(1 / 1.3**2, abs=0.03)
    val = prepare(collections(tmp_path), "val", tmp_path / "val")
    assert not val.boxed.any()
