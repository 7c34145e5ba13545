# ruff: noqa: DTZ001  what EXIF and file names tell has no zone
from datetime import UTC, datetime

import pytest

from producer_api.ingestion.frame import capture_time, image_id
from schemas.image import ImageEvent


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("IMG_20260701_083000.jpg", datetime(2026, 7, 1, 8, 30)),
        ("PXL_20260701_083000123.jpg", datetime(2026, 7, 1, 8, 30, 0, 123000)),
        ("roof 2026-07-01 08.30.00.png", datetime(2026, 7, 1, 8, 30)),
        ("2026-07-01T08-30-00Z.jpg", datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
        ("20260701083000_2.jpg", datetime(2026, 7, 1, 8, 30)),
        ("99999999_999999 20260701_083000.jpg", datetime(2026, 7, 1, 8, 30)),
        ("20261301_083000.jpg", None),
        ("20260701.jpg", None),
        ("120260701083000.jpg", None),
        ("00dc69985c09.jpg", None),
    ],
)
def test_times_in_file_names(name, expected):
    assert capture_time(name) == expected


def test_the_same_picture_has_the_same_id():
    arguments = ("roof", datetime(2026, 7, 1), "", b"digest")
    assert image_id(*arguments) == image_id(*arguments)


def test_camera_moment_part_and_bytes_each_change_the_id():
    moment = datetime(2026, 7, 1)
    ids = {
        image_id("roof", moment, "", b"digest"),
        image_id("door", moment, "", b"digest"),
        image_id(None, moment, "", b"digest"),
        image_id("roof", "a/b.jpg", "", b"digest"),
        image_id("roof", moment, "#tile=0,0/1x1", b"digest"),
        image_id("roof", moment, "", b"other"),
    }
    assert len(ids) == 6


def test_fields_do_not_run_into_each_other():
    assert image_id("ab", "c", "", b"") != image_id("a", "bc", "", b"")


def test_the_id_is_one_an_image_event_accepts():
    made = image_id("roof", "a.jpg", "", b"d")
    assert ImageEvent(id=made, jpeg=b"", accepted_at=datetime.now(UTC), key=made).id == made
