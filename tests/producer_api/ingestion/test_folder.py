import os
import threading
import zipfile
from contextlib import suppress
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from photographs import fill, jpeg

from producer_api.ingestion.cut import Cut
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.folder import watched
from producer_api.ingestion.picture import prepare
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import open_source
from schemas.errors import ConfigurationError, ImageError, ImageTooLargeError


def write(root, **files):
    for name, content in files.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def of(root, **options):
    """Frames of a folder or zip by name."""
    feed = Feed.of(source=str(root), **(options or {"camera": "roof"}))
    source = open_source(feed, IngestSettings(), threading.Event(), patient=False)
    found = {frame.name: frame for frame in source.frames}
    assert source.total == len(found)
    return found


def usable(found):
    names = []
    for name, frame in found.items():
        with suppress(ImageError):
            prepare(frame, Cut(), ZoneInfo("UTC"), hashed=False)
            names.append(name)
    return names


def reason(frame):
    with pytest.raises(ImageError) as caught:
        frame.load()
    return str(caught.value)


def packed(root, path, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root))
    return path


@pytest.mark.parametrize("is_packed", [False, True])
def test_every_file_that_holds_a_picture_is_used_or_named(tmp_path, is_packed):
    root = tmp_path / "in"
    write(
        root,
        b__2_JPG=jpeg(1), b__1_png=jpeg(2), a_webp=jpeg(3), leaf=jpeg(4), c__d__e_jfif=jpeg(5), notes_txt=b"words",
        data_csv=b"BM,1,2", inner_zip=b"PK\x03\x04", more_rar=b"Rar!\x1a\x07\x01\x00", clip_mp4=b"\0\0\0\x20ftypisom",
        table_xlsx=b"PK\x03\x04", scan_tif=b"II*\0" + bytes(99), empty_jpg=b"",
    )  # fmt: skip
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX" / "._2.JPG").write_bytes(b"\0\5\x16\7" + bytes(90))
    (root / ".thumbnails").mkdir()
    (root / ".thumbnails" / "2.jpg").write_bytes(jpeg(1))
    found = of(packed(root, tmp_path / "in.zip") if is_packed else root)
    assert usable(found) == ["a.webp", "b/1.png", "b/2.JPG", "c/d/e.jfif", "leaf"]
    named = found.keys() - usable(found)
    assert named == {".thumbnails/2.jpg", "clip.mp4", "empty.jpg", "inner.zip", "more.rar", "scan.tif"}
    assert "hidden" in reason(found[".thumbnails/2.jpg"])
    assert "unpack it" in reason(found["inner.zip"])
    assert "unpack it" in reason(found["more.rar"])
    assert "video" in reason(found["clip.mp4"])


@pytest.mark.parametrize("is_packed", [False, True])
def test_each_sub_folder_is_a_camera(tmp_path, is_packed):
    write(tmp_path / "in", roof__a__1_jpg=jpeg(1), _1_jpg=b"", x_jpg=jpeg(2))
    found = of(packed(tmp_path / "in", tmp_path / "a.zip") if is_packed else tmp_path / "in", camera_from_folder=True)
    assert {name: frame.camera for name, frame in found.items()} == {"roof/a/1.jpg": "roof", "x.jpg": ""}


def test_windows_names_are_as_any_others(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in (r"roof\1.jpg", r"C:\roof\2.jpg", r"..\roof\3.jpg"):
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, jpeg(1))
    found = of(tmp_path / "a.zip", camera_from_folder=True)
    assert [(name, frame.camera) for name, frame in found.items()] == [(f"roof/{n}.jpg", "roof") for n in (1, 2, 3)]
    assert len(usable(found)) == 3


def test_a_linked_folder_is_read_once_and_a_dead_link_is_named(tmp_path):
    write(tmp_path, elsewhere__1_jpg=jpeg(1), in__2_jpg=jpeg(2))
    (tmp_path / "in" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "gone.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "in" / "pipe.jpg")
    found = of(tmp_path / "in")
    assert list(found) == ["2.jpg", "gone.jpg", "link/1.jpg"]
    with pytest.raises(FileNotFoundError):
        found["gone.jpg"].load()


def test_a_folder_that_can_not_be_opened_is_named(tmp_path, monkeypatch):
    write(tmp_path, open__1_jpg=jpeg(1), closed__2_jpg=jpeg(2))
    scan = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(of(tmp_path)) == ["closed", "open/1.jpg"]


def test_a_huge_file_is_not_even_read(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(11 * 2**20)
    with pytest.raises(ImageTooLargeError, match=r"11\.0 MiB"):
        of(tmp_path)["a.jpg"].load()


def test_a_bomb_is_not_inflated(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("roof/1.jpg", bytes(50 * 2**20))
    with pytest.raises(ImageTooLargeError, match="50"):
        of(tmp_path / "a.zip")["roof/1.jpg"].load()


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.zip", b"PK\x03\x04"),
        ("a.tar", bytes(257) + b"ustar\x0000"),
        ("a.7z", b"7z\xbc\xaf\x27\x1c"),
        ("a.zip", b"Rar!\x1a\x07"),
        ("a.tgz", b"\x1f\x8b\x08"),
    ],
)
def test_an_archive_that_is_not_read_is_not_taken_for_a_video(tmp_path, name, start):
    (tmp_path / name).write_bytes(start + bytes(500))
    with pytest.raises(ConfigurationError, match=r"no readable zip|only zips are read"):
        of(tmp_path / name)


def test_watching_leaves_what_is_hidden_or_unfinished(tmp_path):
    write(tmp_path, a_jpg=jpeg(1), b_jpg_part=jpeg(2))
    (tmp_path / ".c.jpg.Xy12").write_bytes(jpeg(3))
    (tmp_path / "d").write_bytes(jpeg(4))
    looks = watched(Feed.of(source=str(tmp_path), camera="roof", watch=True), 0, threading.Event())
    seen = [frame.name for frame in islice(looks, 6) if frame]
    assert seen == ["a.jpg", "d"]


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
    (frame,) = of(tmp_path).values()
    (piece,) = prepare(frame, Cut(), ZoneInfo("UTC"), hashed=False).pieces
    assert piece.name == r"bl\xe4tt.jpg"
