# ruff: noqa: DTZ001  what EXIF and file names tell has no zone
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from photographs import jpeg, picture

from producer_api.ingestion.cut import Crop, Cut, Tiles
from producer_api.ingestion.frame import Frame
from producer_api.ingestion.picture import prepare
from schemas.errors import ImageError, TruncatedImageError
from schemas.normalisation import normalise

ROME = ZoneInfo("Europe/Rome")


def frame(source, **changes):
    fields = {"name": "a/b.jpg", "camera": "roof", "load": lambda: source}
    return Frame(**(fields | changes))


def look(source, cut=None, hashed=False, **changes):
    return prepare(frame(source, **changes), cut or Cut(), ROME, hashed=hashed)


def test_a_file_becomes_what_an_upload_would():
    (piece,) = look(jpeg(1, size=(900, 700))).pieces
    assert piece.jpeg == normalise(jpeg(1, size=(900, 700))).jpeg
    assert piece.name == "a/b.jpg"


def test_exif_counts_before_the_file_name_in_the_cameras_zone():
    named = datetime(2026, 7, 2, 8, 30)
    seen = look(jpeg(1, taken="2026:07:01 08:30:00"), captured_at=named)
    assert seen.captured_at == datetime(2026, 7, 1, 6, 30, tzinfo=UTC)
    assert look(jpeg(1), captured_at=named).captured_at == datetime(2026, 7, 2, 6, 30, tzinfo=UTC)
    assert look(jpeg(1)).captured_at is None


def test_a_time_with_a_zone_keeps_it():
    aware = datetime(2026, 7, 2, 8, 30, tzinfo=UTC)
    assert look(jpeg(1), captured_at=aware).captured_at == aware


def test_a_moved_file_keeps_its_id_only_if_its_time_is_known():
    taken = jpeg(1, taken="2026:07:01 08:30:00")
    assert look(taken).pieces[0].id == look(taken, name="elsewhere.jpg").pieces[0].id
    assert look(jpeg(1)).pieces[0].id != look(jpeg(1), name="elsewhere.jpg").pieces[0].id


def test_tiles_are_cut_from_the_full_size_and_have_ids_of_their_own():
    seen = look(jpeg(1, size=(1600, 1200)), Cut(Crop(0, 0, 1600, 800), Tiles(4, 2)))
    assert len({piece.id for piece in seen.pieces}) == 8
    assert {normalise(piece.jpeg)[1:3] for piece in seen.pieces} == {(400, 400)}
    assert seen.pieces[5].name == "a/b.jpg#crop=0,0,1600,800#tile=1,1/4x2"


def test_a_video_frame_needs_no_file():
    image = picture(1)
    (piece,) = look(image, digest=b"video").pieces
    assert normalise(piece.jpeg)[1:3] == image.size


def test_a_broken_file_says_so():
    with pytest.raises(TruncatedImageError, match="incomplete"):
        look(jpeg(1)[:-200])


@pytest.mark.parametrize(("camera", "reason"), [("", "no sub-folder"), ("Gewächshaus 1", "no camera id")])
def test_a_folder_that_is_no_camera_says_so(camera, reason):
    with pytest.raises(ImageError, match=reason):
        look(jpeg(1), camera=camera)


def test_the_hash_tells_alike_from_different():
    one = look(jpeg(1, size=(256, 192)), hashed=True).hash
    again = look(picture(1, (512, 384)), hashed=True).hash
    other = look(jpeg(2, size=(256, 192)), hashed=True).hash
    assert one - again <= 2
    assert one - other > 12
