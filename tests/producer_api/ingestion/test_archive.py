import threading
import zipfile

import pytest
from photographs import jpeg

from producer_api.ingestion.archive import archived, entries, open_archive
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import open_source
from schemas.errors import ConfigurationError, ImageTooLargeError, TruncatedImageError


def frames_of(path):
    archive = open_archive(str(path))
    feed = Feed.of(source=str(path), camera_from_folder=True)
    return {frame.name: frame for frame in archived(feed, archive, entries(archive))}


def test_pictures_of_a_zip_as_of_a_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("roof/2.jpg", "roof/1.jpg", "__MACOSX/roof/._1.jpg", "readme.txt"):
            archive.writestr(name, jpeg(1))
    frames = frames_of(tmp_path / "a.zip")
    assert list(frames) == ["roof/1.jpg", "roof/2.jpg"]
    assert frames["roof/1.jpg"].camera == "roof"
    assert frames["roof/1.jpg"].load() == jpeg(1)


def test_a_damaged_entry_does_not_stop_the_others(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("roof/1.jpg", jpeg(1))
        archive.writestr("roof/2.jpg", jpeg(2))
    data = bytearray(path.read_bytes())
    data[data.index(jpeg(1)) + 300] ^= 0xFF
    path.write_bytes(data)
    frames = frames_of(path)
    with pytest.raises(TruncatedImageError, match="CRC"):
        frames["roof/1.jpg"].load()
    assert frames["roof/2.jpg"].load() == jpeg(2)


def test_a_damaged_lzma_entry_is_a_picture_that_can_not_be_read(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("roof/1.jpg", jpeg(1))
    data = bytearray(path.read_bytes())
    for place in range(70, 120):
        data[place] ^= 0x5A
    path.write_bytes(data)
    with pytest.raises(TruncatedImageError):
        frames_of(path)["roof/1.jpg"].load()


def test_a_bomb_is_not_inflated(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("roof/1.jpg", bytes(50 * 2**20))
    with pytest.raises(ImageTooLargeError, match="50"):
        frames_of(tmp_path / "a.zip")["roof/1.jpg"].load()


def test_no_zip_at_all(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x05\x06 or not")
    with pytest.raises(ConfigurationError, match="no readable zip"):
        open_archive(str(tmp_path / "a.zip"))


def test_half_a_zip_is_not_taken_for_a_video(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.jpg", jpeg(number))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ConfigurationError, match="no readable zip"):
        open_source(Feed.of(source=str(path), camera="roof"), IngestSettings(), threading.Event(), patient=False)
