import os
import threading
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

import pytest
from photographs import fill, jpeg

from producer_api.ingestion.cut import Cut
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.folder import folder, pictures, watched
from producer_api.ingestion.picture import prepare
from schemas.errors import ImageTooLargeError


def test_pictures_in_order_of_path_without_hidden_and_other_files(tmp_path):
    for name in ("b/2.JPG", "b/1.png", "a.webp", "c/d/e.heic", ".hidden/x.jpg", ".x.jpg", "notes.txt", "y.jpg.part"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert [str(path) for path in pictures(tmp_path)] == ["a.webp", "b/1.png", "b/2.JPG", "c/d/e.heic"]


def test_each_sub_folder_is_a_camera(tmp_path):
    feed = Feed.of(source=str(tmp_path), camera_from_folder=True)
    frames = folder(feed, [PurePosixPath("roof/a/1.jpg"), PurePosixPath("1.jpg")])
    assert [frame.camera for frame in frames] == ["roof", ""]


def test_a_huge_file_is_not_even_read(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(11 * 2**20)
    (frame,) = folder(Feed.of(source=str(tmp_path), camera="roof"), pictures(tmp_path))
    with pytest.raises(ImageTooLargeError, match=r"11\.0 MiB"):
        frame.load()


def test_watching_skips_files_that_are_still_being_written(tmp_path):
    fill(tmp_path, 2)
    stop = threading.Event()
    frames = watched(Feed.of(source=str(tmp_path), camera="roof", watch=True), 0.01, stop)
    late = tmp_path / "late.jpg"
    whole = jpeg(9)
    seen: list[str] = []
    grown = 0
    for frame in frames:
        if frame is not None:
            seen.append(frame.name)
            if frame.name == "late.jpg":
                assert frame.load() == whole
                stop.set()
        elif grown < len(whole):
            grown = min(len(whole), grown + 200)
            late.write_bytes(whole[:grown])
    assert seen == ["00000.jpg", "00001.jpg", "late.jpg"]


def test_a_file_that_changes_later_comes_again(tmp_path):
    fill(tmp_path, 1)
    stop = threading.Event()
    seen = []
    for frame in watched(Feed.of(source=str(tmp_path), camera="roof", watch=True), 0.01, stop):
        if frame is not None:
            seen.append(frame.load())
            (tmp_path / "00000.jpg").write_bytes(jpeg(7, size=(80, 80)))
        if len(seen) == 2:
            stop.set()
    assert seen == [jpeg(0), jpeg(7, size=(80, 80))]


def test_a_name_that_is_not_utf_8_is_a_name(tmp_path):
    fill(tmp_path, 1)
    (tmp_path / "00000.jpg").rename(os.fsdecode(os.fsencode(tmp_path) + b"/bl\xe4tt.jpg"))
    (frame,) = folder(Feed.of(source=str(tmp_path), camera="roof"), pictures(tmp_path))
    (piece,) = prepare(frame, Cut(), ZoneInfo("UTC"), hashed=False).pieces
    assert piece.name == r"bl\xe4tt.jpg"
