import os
import zipfile
from pathlib import Path

import pytest
from leaves import encoded, leaf

from schemas.labels import LABELS, NOT_TOMATO_LEAF
from training.classname import OTHER_TOMATO_PROBLEM
from training.dataset import NEGATIVE, OTHER_PROBLEM, DatasetError, count, index_of, photographs, usable


def test_labels_outside_the_logits_have_an_index_of_their_own() -> None:
    assert index_of(LABELS[3]) == 3
    assert (index_of(NOT_TOMATO_LEAF), index_of(OTHER_TOMATO_PROBLEM)) == (NEGATIVE, OTHER_PROBLEM) == (-1, -2)


def test_a_folder_and_its_zip_hold_the_same_photographs(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for label in ("healthy", "late_blight"):
        (tree / "test" / label).mkdir(parents=True)
        (tree / "test" / label / "a.png").write_bytes(encoded(leaf(0, 1)))
        (tree / "test" / label / ".hidden.png").write_bytes(b"")
    (tree / "notes.txt").write_text("no photograph")
    with zipfile.ZipFile(tmp_path / "tree.zip", "w") as archive:
        for file in tree.rglob("*.*"):
            archive.write(file, file.relative_to(tree))
    from_tree, from_zip = list(photographs(tree)), list(photographs(tmp_path / "tree.zip"))
    assert [(item.path, item.label) for item in from_tree] == [
        ("test/healthy/a.png", "healthy"),
        ("test/late_blight/a.png", "late_blight"),
    ]
    assert from_tree == from_zip
    assert count(tree) == count(tmp_path / "tree.zip") == 3


def test_a_class_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(b"x")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "healthy").symlink_to(tmp_path / "elsewhere")
    assert [(item.path, item.label) for item in photographs(tmp_path / "tree")] == [("healthy/a.png", "healthy")]


def test_what_is_no_label_is_yielded_without_one_so_that_it_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "stray.png").write_bytes(b"x")
    (tmp_path / "healthy").mkdir()
    (tmp_path / "healthy" / "readme").write_bytes(b"x")
    assert [(item.path, item.label) for item in photographs(tmp_path)] == [
        ("healthy/readme", "healthy"),
        ("stray.png", None),
    ]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 but broken"])
def test_no_zip_is_said_and_not_thrown(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(DatasetError):
        list(photographs(tmp_path / "x.zip"))


def test_a_member_that_can_not_be_unpacked_comes_empty(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("healthy/a.png", b"A" * 1000)
        archive.writestr("healthy/b.png", b"B" * 1000)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"A" * 1000) + 5] ^= 0xFF
    path.write_bytes(raw)
    assert [(item.path, len(item.content)) for item in photographs(path)] == [
        ("healthy/a.png", 0),
        ("healthy/b.png", 1000),
    ]


def test_links_that_lead_back_add_nothing(tmp_path: Path) -> None:
    (tmp_path / "healthy").mkdir()
    (tmp_path / "healthy" / "a.png").write_bytes(b"x")
    (tmp_path / "healthy" / "up").symlink_to("..")
    assert [item.path for item in photographs(tmp_path)] == ["healthy/a.png"]


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path) -> None:
    (tmp_path / "healthy").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/healthy/bl\xe4tt.png")).write_bytes(b"x")
    assert [item.path.encode() for item in photographs(tmp_path)] == [rb"healthy/bl\xe4tt.png"]


def test_an_entry_that_can_not_be_inflated_is_empty_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("healthy/a.png", b"leaf" * 100)
        archive.writestr("healthy/b.png", b"x")
    data = bytearray(path.read_bytes())
    data[30 + len("healthy/a.png")] = 0xFF
    path.write_bytes(data)
    assert [item.content for item in photographs(path)] == [b"", b"x"]


def test_files_of_one_name_in_a_zip_keep_their_own_content(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, name in enumerate(["healthy/a.png", r"healthy\a.png", "../healthy/a.png", r"C:\healthy\a.png"]):
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, str(number))
    found = list(photographs(tmp_path / "a.zip"))
    assert {item.label for item in found} == {"healthy"}
    assert {item.content for item in found} == {b"0", b"1", b"2", b"3"}
    assert len({item.path for item in found}) == 4


def test_pictures_that_can_not_be_used_are_yielded_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "healthy" / ".thumbs").mkdir(parents=True)
    (tmp_path / "healthy" / ".thumbs" / "a.png").write_bytes(encoded(leaf(0, 1)))
    (tmp_path / "healthy" / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "stray").write_bytes(encoded(leaf(0, 1)))
    (tmp_path / "more.zip").write_bytes(b"PK\3\4")
    (tmp_path / "notes.txt").write_bytes(b"words")
    found = {item.path: item for item in photographs(tmp_path)}
    assert found.keys() == {"healthy/.thumbs/a.png", "healthy/gone.png", "stray", "more.zip"}
    assert "hidden" in found["healthy/.thumbs/a.png"].problem
    assert "No such file" in found["healthy/gone.png"].problem
    assert "archive" in found["more.zip"].problem
    assert (found["stray"].label, found["stray"].problem) == (None, "")


def test_what_is_not_used_is_named_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for folder, name, content in (
        ("healthy", "a.png", b"x"),
        ("healthy", "Thumbs.db", b"x"),
        ("healthy", "b", encoded(leaf(0, 1))),
        ("Tomato leaf spot", "c.png", b"x"),
        ("Tomato leaf spot", "d.png", b"x"),
        (".", "e.zip", b"PK\3\4"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(content)
    assert [item.path for item in usable(photographs(tmp_path))] == ["healthy/a.png", "healthy/b"]
    assert len(caplog.messages) == 3
    for words in (
        "Tomato leaf spot is not used: the folder's name is no known class (photographs: 2)",
        "healthy/Thumbs.db is not used",
        "e.zip is not",
    ):
        assert words in caplog.text
