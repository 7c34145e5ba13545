import io
import threading

import pytest
from images import GREEN, RED, TOP_LEFT, TOP_RIGHT, animated, encoded, exif, near, two_colours
from PIL import Image

from producer_api.ingestion.cut import Cut
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.picture import prepare
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.source import open_source
from schemas.errors import ConfigurationError, ImageError

TAKEN = exif(6, "2026:07:01 08:30:00")
FILES = {
    "IMG_1.jpg": encoded(two_colours(), exif=TAKEN),
    "IMG_2.HEIC": encoded(two_colours((1024, 1024)), "HEIF", tile_size=512),
    "IMG_3.png": encoded(two_colours(), "PNG", exif=TAKEN),
    "IMG_4.webp": encoded(two_colours(), "WEBP", exif=TAKEN),
    "IMG_5": encoded(two_colours(), exif=TAKEN),
    "20260701_083000.jpg": encoded(two_colours()),
}


def pieces(source, **options):
    settings = IngestSettings()
    opened = open_source(Feed(source=str(source), camera="roof", **options), settings, threading.Event(), patient=False)
    made = [prepare(frame, Cut(), settings.timezone, hashed=False) for frame in opened.frames if frame]
    assert opened.total in {None, len(made)}
    assert not opened.live
    return [(each.captured_at, piece) for each in made for piece in each.pieces]


@pytest.mark.parametrize("name", [name for name in FILES if "." in name])
def test_an_image_alone_is_the_same_event_as_from_its_folder(tmp_path, name):
    (tmp_path / name).write_bytes(FILES[name])
    assert pieces(tmp_path / name) == pieces(tmp_path)


def test_the_content_counts_not_the_name(tmp_path):
    for name, data in FILES.items():
        file = tmp_path / (name.partition(".")[0] + ".mp4")
        file.write_bytes(data)
        assert len(pieces(file)) == 1


def test_a_heic_grid_is_whole_and_a_photograph_stands_upright(tmp_path):
    for name, corner, other in (("IMG_2.HEIC", TOP_LEFT, TOP_RIGHT), ("IMG_1.jpg", TOP_RIGHT, TOP_LEFT)):
        (tmp_path / name).write_bytes(FILES[name])
        ((_, piece),) = pieces(tmp_path / name)
        image = Image.open(io.BytesIO(piece.jpeg))
        near(image, corner, RED)
        near(image, other, GREEN)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG2000"])
def test_a_format_that_is_not_accepted_is_named(tmp_path, kind):
    file = tmp_path / "scan.x"
    file.write_bytes(encoded(two_colours((64, 64)), kind))
    with pytest.raises(ImageError, match=kind.replace("JPEG2000", "JPEG 2000")):
        pieces(file)


def test_an_animation_alone_is_its_first_image(tmp_path):
    file = tmp_path / "leaf.gif"
    file.write_bytes(animated("GIF", two_colours((64, 64)), two_colours((64, 64), GREEN)))
    assert len(pieces(file)) == 1


@pytest.mark.parametrize("option", [{"fps": 2}, {"watch": True}])
def test_options_for_others_are_refused(tmp_path, option):
    file = tmp_path / "leaf.jpg"
    file.write_bytes(FILES["IMG_1.jpg"])
    with pytest.raises(ConfigurationError, match="one image"):
        pieces(file, **option)


def test_a_camera_from_the_folder_needs_a_folder(tmp_path):
    file = tmp_path / "leaf.jpg"
    file.write_bytes(FILES["IMG_1.jpg"])
    feed = Feed(source=str(file), camera_from_folder=True)
    with pytest.raises(ConfigurationError, match="one image"):
        open_source(feed, IngestSettings(), threading.Event(), patient=False)
