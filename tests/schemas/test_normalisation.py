import contextlib
import io
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from pillow_heif import register_heif_opener

from schemas.errors import ImageError, ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.normalisation import MAX_SIDE, MAX_UPLOAD_BYTES, as_is, decode, encode, normalise
from schemas.topics import MAX_IMAGE_BYTES

register_heif_opener()
GREEN, RED = (40, 140, 60), (180, 60, 30)


def photograph(size=(1200, 800), corner=RED):
    """Green, with the top left quarter in another colour: tells which way is up."""
    image = Image.new("RGB", size, GREEN)
    image.paste(corner, (0, 0, size[0] // 2, size[1] // 2))
    return image


def encoded(image, kind="JPEG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation=1, taken=None, zone=None):
    made = Image.Exif()
    made[0x0112] = orientation
    if taken:
        made.get_ifd(0x8769)[0x9003] = taken
    if zone:
        made.get_ifd(0x8769)[0x9011] = zone
    return made


def opened(data):
    """The event's picture; whatever came in, it needs no further change."""
    made = normalise(data)
    image = Image.open(io.BytesIO(made.jpeg))
    image.load()
    assert image.size == (made.width, made.height)
    assert max(image.size) <= MAX_SIDE
    assert len(made.jpeg) <= MAX_IMAGE_BYTES
    assert as_is(made.jpeg) == (made.jpeg, made.width, made.height, None)
    return image


def near(image, position, colour, tolerance=12):
    found = image.getpixel((int(position[0] * image.width), int(position[1] * image.height)))
    assert np.abs(np.subtract(found, colour)).max() <= tolerance, found


TOP_LEFT, TOP_RIGHT, BOTTOM_LEFT, BOTTOM_RIGHT = (0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)


def test_what_fits_passes_untouched():
    data = encoded(photograph((256, 192)))
    assert normalise(data).jpeg is data


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_every_accepted_format_is_shrunk(kind):
    image = opened(encoded(photograph(), kind))
    assert image.size == (512, 341)
    near(image, TOP_LEFT, RED)
    near(image, BOTTOM_RIGHT, GREEN)


@pytest.mark.parametrize("size", [(100, 80), (512, 512), (513, 100), (4000, 300), (300, 4000)])
def test_keeps_the_proportions_and_never_enlarges(size):
    image = opened(encoded(photograph(size), "PNG"))
    assert max(image.size) == min(max(size), MAX_SIDE)
    assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.02)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, TOP_LEFT), (3, BOTTOM_RIGHT), (6, TOP_RIGHT), (8, BOTTOM_LEFT)]
)
def test_stands_upright(kind, orientation, corner):
    image = opened(encoded(photograph((600, 300)), kind, exif=exif(orientation).tobytes()))
    assert (image.width > image.height) == (orientation in {1, 3})
    near(image, corner, RED)


def test_a_small_rotated_photograph_is_turned_too():
    near(opened(encoded(photograph((200, 100)), exif=exif(6))), TOP_RIGHT, RED)


@pytest.mark.parametrize(
    ("taken", "zone", "expected"),
    [
        ("2026:07:01 08:30:00", None, datetime(2026, 7, 1, 8, 30)),  # noqa: DTZ001
        ("2026:07:01 08:30:00", "+02:00", datetime(2026, 7, 1, 8, 30, tzinfo=timezone(timedelta(hours=2)))),
        ("2026:07:01 08:30:00", "Z", datetime(2026, 7, 1, 8, 30, tzinfo=UTC)),
        ("2026:07:01 08:30:00", "nonsense", datetime(2026, 7, 1, 8, 30)),  # noqa: DTZ001
        ("0000:00:00 00:00:00", None, None),
        ("", None, None),
    ],
)
def test_tells_when_it_was_taken(taken, zone, expected):
    assert normalise(encoded(photograph(), exif=exif(1, taken, zone))).captured_at == expected


def test_no_metadata_is_left():
    data = encoded(photograph((200, 100)), exif=exif(1, "2026:07:01 08:30:00"), comment=b"secret place")
    image = opened(data)
    assert not image.getexif()
    assert b"secret" not in normalise(data).jpeg


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("size", [(100, 100), (900, 900)])
def test_transparent_becomes_white(mode, size):
    near(opened(encoded(Image.new(mode, size, 0), "PNG")), TOP_LEFT, (255, 255, 255))


def test_transparent_palettes_become_white():
    palette = photograph((900, 900)).quantize(8)
    data = encoded(palette, "PNG", transparency=palette.getpixel((800, 800)))
    image = opened(data)
    near(image, TOP_LEFT, RED, 20)
    near(image, BOTTOM_RIGHT, (255, 255, 255), 20)


def test_half_transparent_edges_do_not_darken():
    image = Image.new("RGBA", (1000, 1000), (*GREEN, 128))
    near(opened(encoded(image, "PNG")), TOP_LEFT, tuple((channel + 255) // 2 for channel in GREEN))


def test_sixteen_bit_greys_keep_their_brightness():
    grey = Image.fromarray(np.full((700, 700), 0x8000, dtype=np.uint16))
    near(opened(encoded(grey, "PNG")), TOP_LEFT, (128, 128, 128))


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK"])
def test_other_modes_become_rgb(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    image = opened(encoded(photograph().convert(mode), kind))
    assert image.mode == "RGB"
    if mode in {"P", "CMYK"}:
        near(image, TOP_LEFT, RED, 40)


def test_phones_extra_pictures_are_left_out():
    out = io.BytesIO()
    photograph().save(out, "MPO", save_all=True, append_images=[photograph(corner=(0, 0, 0))])
    near(opened(out.getvalue()), TOP_LEFT, RED)


def test_wide_colours_become_srgb():
    """A profile with red and blue swapped: whoever applies it sees them exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    description = bytes(profile).replace(b"s\0R\0G\0B", b"x\0R\0G\0B").replace(b"sRGB", b"xRGB")
    image = opened(encoded(photograph(), icc_profile=description))
    near(image, TOP_LEFT, RED[::-1], 25)


@pytest.mark.parametrize("profile", [b"x" * 300, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()])
def test_a_broken_or_strange_profile_changes_nothing(profile):
    near(opened(encoded(photograph(), icc_profile=profile)), TOP_LEFT, RED)


def test_noise_fits_too():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8))
    opened(encoded(noise, quality=100))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_truncated_files_are_refused(kind, share):
    noisy = Image.effect_noise((900, 700), 60).convert("RGB")
    data = encoded(noisy, kind)
    with pytest.raises(TruncatedImageError) as error:
        normalise(data[: int(len(data) * share)])
    assert error.value.remedy


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff" + b"x" * 100, b"\0\0\0\x18ftypavif" + b"\0" * 100])
def test_what_is_no_image_is_refused(data):
    with pytest.raises(NotAnImageError):
        normalise(data)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "AVIF"])
def test_other_formats_are_refused(kind):
    with pytest.raises(NotAnImageError):
        normalise(encoded(photograph((64, 64)), kind))


@pytest.mark.parametrize("size", [(31, 100), (100, 20), (5000, 100)])
def test_what_is_too_small_or_narrow_is_refused(size):
    with pytest.raises(NotAnImageError):
        normalise(encoded(photograph(size), "PNG"))


@pytest.mark.parametrize("size", [(8000, 7000), (20000, 20000)])
def test_bombs_are_refused_before_they_are_decoded(size):
    with pytest.raises(ImageTooLargeError):
        normalise(encoded(Image.new("1", size), "PNG"))


def test_too_many_bytes_are_refused():
    with pytest.raises(ImageTooLargeError):
        normalise(b"x" * (MAX_UPLOAD_BYTES + 1))


SEEDS = {kind: encoded(photograph((600, 60)), kind) for kind in ("JPEG", "PNG", "WEBP", "HEIF")}


@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of the damage, here as errors
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_of_any_kind_is_an_image_error_or_an_image(kind, data):
    damaged = bytearray(SEEDS[kind])
    for position, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), st.integers(0, 255)), min_size=1, max_size=8)
    ):
        damaged[position] = value
    with contextlib.suppress(ImageError):
        opened(bytes(damaged))


def test_decode_keeps_the_size_and_encode_shrinks():
    whole = decode(encoded(photograph((1200, 800)), exif=exif(6, "2026:07:01 08:30:00")))
    assert whole.image.size == (800, 1200)
    assert whole.captured_at
    part = encode(whole.image.crop((0, 0, 800, 600)))
    assert (part.width, part.height) == (512, 384)
    assert as_is(part.jpeg)
    with pytest.raises(NotAnImageError):
        encode(whole.image.crop((0, 0, 20, 20)))


@pytest.mark.parametrize(("side", "whole"), [(128, True), (320, True), (400, False)])
def test_small_photographs_keep_the_resolution_of_their_colours(side: int, whole: bool) -> None:
    image = opened(encoded(photograph((side, side)), "PNG"))
    assert (image.layer[0][1:3] == (1, 1)) == whole, "sampling factors of the luma, in units of the colours'"


def test_a_jpeg_of_very_many_scans_is_not_decoded():
    out = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    assert normalise(data).width == MAX_SIDE
    end, last = data.rindex(b"\xff\xd9"), data.rindex(b"\xff\xda")
    bomb = data[:end] + data[last:end] * 2000 + data[end:]
    with pytest.raises(ImageTooLargeError, match="scans"):
        normalise(bomb)
    video = b"\xff\xda" * 500  # behind the picture, as in a telephone's moving photograph
    assert normalise(data + video).width == MAX_SIDE
