import sys
import zipfile
from pathlib import Path, PurePosixPath
from types import ModuleType, SimpleNamespace

import pytest

from training.dataset import DatasetError
from training.leafname import leaf_of
from training.splitting import SHARES, split, split_of

UUID = "0a5e9323-dbad-432d-ac58-d291718345d9___"


def flat(folder: Path, shots: int) -> Path:
    for name in ("Tomato___healthy", "Tomato___Late_blight"):
        (folder / name).mkdir(parents=True)
        for shot in range(shots):
            for suffix in ("", "_flipLR"):
                (folder / name / f"{UUID}RS_HL {shot:04}{suffix}.JPG").write_bytes(f"{name}{shot}{suffix}".encode())
    return folder


def test_a_leaf_and_its_augmented_copies_are_in_one_split_only(tmp_path: Path) -> None:
    written = split(str(flat(tmp_path / "flat", 600)), tmp_path / "made")
    assert written.total() == 2 * 600 * 2
    where: dict[tuple[str, str], set[str]] = {}
    for file in (tmp_path / "made").rglob("*.JPG"):
        part, label, name = file.relative_to(tmp_path / "made").parts
        where.setdefault((label, leaf_of(PurePosixPath(name.split("-", 1)[1]))), set()).add(part)
    assert {label for label, _ in where} == {"healthy", "late_blight"}
    assert all(len(parts) == 1 for parts in where.values())
    assert set.union(*where.values()) == set(SHARES)


def test_shares_are_kept_and_the_same_leaf_always_lands_alike() -> None:
    parts = [split_of("healthy", f"leaf {number}") for number in range(5000)]
    for name, share in SHARES.items():
        assert parts.count(name) / len(parts) == pytest.approx(share, abs=0.02)
    assert parts == [split_of("healthy", f"leaf {number}") for number in range(5000)]


def test_it_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine").touch()
    with pytest.raises(DatasetError, match="not empty"):
        split(str(flat(tmp_path / "flat", 1)), tmp_path / "made")


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.jpg").touch()
    with pytest.raises(DatasetError, match="no photograph"):
        split(str(tmp_path), tmp_path / "made")


def test_folders_that_are_no_class_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = flat(tmp_path / "flat", 2)
    (source / "Tomato leaf spot").mkdir()
    (source / "Tomato leaf spot" / "1.jpg").touch()
    assert split(str(source), tmp_path / "made").total() == 8
    assert "Tomato leaf spot is not used" in caplog.text
    assert "(photographs: 1)" in caplog.text


def test_names_longer_than_a_file_system_takes_are_cut(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(2):
            archive.writestr(f"healthy/{'ä' * 9000}{number}{'ö' * 9000}.jpg", str(number))
    assert split(str(tmp_path / "a.zip"), tmp_path / "made").total() == 2
    made = list((tmp_path / "made").rglob("*.jpg"))
    assert {file.read_bytes() for file in made} == {b"0", b"1"}


def test_plant_village_is_read_from_tensorflow_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"image": b"one", "image/filename": f"{UUID}RS_HL 1.JPG".encode(), "label": 1},
        {"image": b"two", "image/filename": f"{UUID}FREC 2.JPG".encode(), "label": 0},
    ]
    info = SimpleNamespace(features={"label": SimpleNamespace(names=["Apple___Apple_scab", "Tomato___healthy"])})
    fake = ModuleType("tensorflow_datasets")
    asked: list[object] = []

    def load(name: str, **options: object) -> tuple[object, object]:
        asked.append((name, options["split"], options["with_info"]))
        return rows, info

    vars(fake).update(load=load, as_numpy=iter, decode=SimpleNamespace(SkipDecoding=object))
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake)
    assert split("tfds:plant_village", tmp_path / "made").total() == 2
    assert asked == [("plant_village", "train", True)]
    contents = {file.parent.name: file.read_bytes() for file in (tmp_path / "made").rglob("*.JPG")}
    assert contents == {"healthy": b"one", "not_tomato_leaf": b"two"}


def test_without_tensorflow_datasets_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(DatasetError, match="not installed"):
        split("tfds:plant_village", tmp_path / "made")


def test_a_killed_split_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = str(flat(tmp_path / "flat", 40))
    with monkeypatch.context() as patch:
        patch.setattr("training.splitting.leaf_of", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            split(source, tmp_path / "made")
    (tmp_path / "made" / "val").mkdir()
    assert split(source, tmp_path / "made").total() == 160
    assert {path.name for path in (tmp_path / "made").iterdir()} <= set(SHARES)
    with pytest.raises(DatasetError, match="not empty"):
        split(source, tmp_path / "made")
