import pytest
from photographs import picture

from producer_api.ingestion.cut import Crop, Cut, Tiles
from schemas.errors import ConfigurationError, ImageError


@pytest.mark.parametrize("text", ["", "1,2,3", "0,0,0,5", "-1,0,5,5", "a,b,c,d", "1,2,3,4,5"])
def test_malformed_crops_are_refused(text):
    with pytest.raises(ConfigurationError, match="is no crop"):
        Crop.parse(text)


@pytest.mark.parametrize("text", ["", "4", "0x3", "4x0", "100x1", "4*3"])
def test_malformed_grids_are_refused(text):
    with pytest.raises(ConfigurationError, match="is no grid"):
        Tiles.parse(text)


def test_a_crop_takes_those_pixels():
    image = picture(1)
    assert Crop.parse("10,20,30,28").of(image).tobytes() == image.crop((10, 20, 40, 48)).tobytes()


def test_a_crop_that_leaves_the_picture_is_an_error():
    with pytest.raises(ImageError, match="64 x 48"):
        Crop(10, 20, 30, 29).of(picture(1))


def test_tiles_cover_the_picture_without_overlap():
    image = picture(1, (100, 70))
    parts = dict(Cut(tiles=Tiles.parse("3x2")).parts(image))
    assert len(parts) == 6
    assert sum(part.width * part.height for part in parts.values()) == 7000
    right_bottom = parts["#tile=2,1/3x2"]
    assert right_bottom.getpixel((right_bottom.width - 1, right_bottom.height - 1)) == image.getpixel((99, 69))


def test_parts_are_named_after_the_cut():
    assert [name for name, _ in Cut().parts(picture(1))] == [""]
    cut = Cut(Crop(0, 0, 40, 40), Tiles(1, 1))
    assert [name for name, _ in cut.parts(picture(1))] == ["#crop=0,0,40,40#tile=0,0/1x1"]
