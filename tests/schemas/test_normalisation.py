import contextlib
import io
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import (
    BOTTOM_LEFT,
    BOTTOM_RIGHT,
    GREEN,
    RED,
    TOP_LEFT,
    TOP_RIGHT,
    after_header,
    animated,
    chunk,
    encoded,
    exif,
    near,
    noise,
    tiff,
    two_colours,
    with_nclx,
)
from PIL import Image, ImageCms
from profiles import gamma_profile, matrix_profile

from schemas import normalisation
from schemas.errors import ImageError, ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.imagefile import ImageFile
from schemas.normalisation import MAX_SIDE, MAX_UPLOAD_BYTES, as_is, decode, encode, normalise
from schemas.topics import MAX_IMAGE_BYTES

KINDS = ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP"]


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


def test_what_fits_passes_untouched():
    data = encoded(two_colours((256, 192)))
    assert normalise(data).jpeg is data


@pytest.mark.parametrize("kind", KINDS)
def test_every_accepted_format_is_shrunk(kind):
    image = opened(encoded(two_colours(), kind))
    assert image.size == (512, 341)
    near(image, TOP_LEFT, RED)
    near(image, BOTTOM_RIGHT, GREEN)


@pytest.mark.parametrize("size", [(100, 80), (512, 512), (513, 100), (4000, 300), (300, 4000)])
def test_keeps_the_proportions_and_never_enlarges(size):
    image = opened(encoded(two_colours(size), "PNG"))
    assert max(image.size) == min(max(size), MAX_SIDE)
    assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.02)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
@pytest.mark.parametrize(
    ("orientation", "corner"), [(1, TOP_LEFT), (3, BOTTOM_RIGHT), (6, TOP_RIGHT), (8, BOTTOM_LEFT)]
)
def test_stands_upright(kind, orientation, corner):
    image = opened(encoded(two_colours((600, 300)), kind, exif=exif(orientation).tobytes()))
    assert (image.width > image.height) == (orientation in {1, 3})
    near(image, corner, RED)


def test_a_small_rotated_photograph_is_turned_too():
    near(opened(encoded(two_colours((200, 100)), exif=exif(6))), TOP_RIGHT, RED)


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
    assert normalise(encoded(two_colours(), exif=exif(1, taken, zone))).captured_at == expected


def test_no_metadata_is_left():
    data = encoded(two_colours((200, 100)), exif=exif(1, "2026:07:01 08:30:00"), comment=b"secret place")
    image = opened(data)
    assert not image.getexif()
    assert b"secret" not in normalise(data).jpeg


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("size", [(100, 100), (900, 900)])
def test_transparent_becomes_white(mode, size):
    near(opened(encoded(Image.new(mode, size, 0), "PNG")), TOP_LEFT, (255, 255, 255))


def test_transparent_palettes_become_white():
    palette = two_colours((900, 900)).quantize(8)
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
    image = opened(encoded(two_colours().convert(mode), kind))
    assert image.mode == "RGB"
    if mode in {"P", "CMYK"}:
        near(image, TOP_LEFT, RED, 40)


def test_phones_extra_pictures_are_left_out():
    out = io.BytesIO()
    two_colours().save(out, "MPO", save_all=True, append_images=[two_colours(corner=(0, 0, 0))])
    near(opened(out.getvalue()), TOP_LEFT, RED)


SWAPPED = ((0.14307, 0.06061, 0.7141), (0.38515, 0.71687, 0.09708), (0.43607, 0.22249, 0.01392))
"""Red and blue exchanged: whoever applies it sees it."""
PROFILES = {name: matrix_profile(name=name, xyz=SWAPPED) for name in ("swapped", "sRGB IEC61966-2.1")}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_a_profile_counts_in_every_format_and_whatever_it_is_called(kind, name):
    image = opened(encoded(two_colours((600, 400)), kind, icc_profile=PROFILES[name]))
    near(image, TOP_LEFT, RED[::-1], 25)
    transparent = encoded(two_colours().convert("RGBA"), "PNG", icc_profile=PROFILES[name])
    near(opened(transparent), TOP_LEFT, RED[::-1], 25)
    palette = encoded(two_colours().quantize(8), "PNG", icc_profile=PROFILES[name])
    near(opened(palette), TOP_LEFT, RED[::-1], 25)


def test_grey_profiles_count_too():
    for kind in ("JPEG", "PNG"):
        image = opened(encoded(Image.new("L", (600, 600), 128), kind, icc_profile=gamma_profile(1.0)))
        near(image, TOP_LEFT, (188, 188, 188), 4)
    sixteen = Image.fromarray(np.full((600, 600), 0x8000, dtype=np.uint16))
    near(opened(encoded(sixteen, "PNG", icc_profile=gamma_profile(1.0))), TOP_LEFT, (188, 188, 188), 4)


@pytest.mark.parametrize("profile", [b"x" * 300, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_broken_or_strange_profile_changes_nothing(profile, mode):
    image = two_colours().convert(mode)
    assert normalise(encoded(image, icc_profile=profile)).jpeg == normalise(encoded(image)).jpeg


P3, BT2020, SRGB, PQ, HLG = 12, 9, 13, 16, 18
P3_RED = (196, 47, 5)


def heif(primaries, transfer):
    said = {"color_primaries": primaries, "transfer_characteristics": transfer, "full_range_flag": 1}
    return encoded(two_colours((300, 200)), "HEIF", quality=95, matrix_coefficients=6, **said)


def avif(primaries, transfer):
    return with_nclx(encoded(two_colours((300, 200)), "AVIF", quality=95), primaries, transfer)


def png(primaries, transfer):
    return after_header(encoded(two_colours((300, 200)), "PNG"), chunk(b"cICP", bytes((primaries, transfer, 0, 1))))


@pytest.mark.parametrize("made", [heif, avif, png])
def test_code_points_count_in_every_format(made):
    near(opened(made(1, SRGB)), TOP_LEFT, RED, 6)
    near(opened(made(P3, SRGB)), TOP_LEFT, P3_RED, 6)
    for transfer in (PQ, HLG):
        shown = opened(made(BT2020, transfer))
        assert np.abs(np.subtract(shown.getpixel((10, 10)), RED)).max() > 20


def test_what_a_png_says_first_counts():
    data = encoded(two_colours(), "PNG", icc_profile=PROFILES["swapped"])
    linear = chunk(b"gAMA", struct.pack(">I", 100_000))
    near(opened(after_header(data, linear)), TOP_LEFT, RED[::-1], 25)
    near(opened(after_header(data, chunk(b"cICP", bytes((P3, SRGB, 0, 1))))), TOP_LEFT, P3_RED, 6)
    plain = encoded(two_colours(), "PNG")
    near(opened(after_header(plain, linear)), TOP_LEFT, (218, 133, 96), 4)
    near(opened(after_header(plain, chunk(b"sRGB", b"\0"), linear)), TOP_LEFT, RED, 4)


def test_a_tall_dynamic_range_of_ten_bits_is_read():
    wide = (np.asarray(two_colours()).astype("<u2") * 257).tobytes()
    out = io.BytesIO()
    pillow_heif.from_bytes("RGB;16", (1200, 800), wide).save(out, quality=95)
    near(opened(out.getvalue()), TOP_LEFT, RED)


def test_a_heic_grid_is_whole():
    """As telephones write it: tiles of 512 pixels."""
    image = opened(encoded(two_colours((2048, 1536)), "HEIF", tile_size=512))
    for position, colour in ((TOP_LEFT, RED), (TOP_RIGHT, GREEN), (BOTTOM_LEFT, GREEN), (BOTTOM_RIGHT, GREEN)):
        near(image, position, colour)


def test_of_a_burst_the_primary_image_counts():
    burst = pillow_heif.from_pillow(Image.new("RGB", (640, 480)))
    burst.add_from_pillow(two_colours())
    out = io.BytesIO()
    burst.save(out, primary_index=1)
    near(opened(out.getvalue()), TOP_LEFT, RED)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "GIF"])
def test_of_an_animation_the_first_image_counts(kind):
    near(opened(animated(kind, two_colours(), Image.new("RGB", (1200, 800)))), TOP_LEFT, RED)


ODD = {
    "XResolution as text": (0x011A, 2, 3, b"72\0\0"),
    "BitsPerSample as bytes": (0x0102, 1, 4, b"\x08\x08\x08\0"),
    "GPS far outside": (0x8825, 4, 1, b"\xf0\xff\xff\xff"),
    "a directory in itself": (0x8769, 4, 1, b"\x08\0\0\0"),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_odd_tag_beside_the_orientation_is_no_reason_to_refuse(kind, name):
    made = tiff((0x0112, 3, 1, b"\6\0\0\0"), ODD[name])
    placeholder = b"II*\0" + bytes(range(1, len(made) - 3))
    data = encoded(two_colours(), kind, exif=b"Exif\0\0" + placeholder)
    data = after_header(encoded(two_colours(), "PNG"), chunk(b"eXIf", made)) if kind == "PNG" else data
    near(opened(data.replace(placeholder, made)), TOP_RIGHT, RED)


@pytest.mark.parametrize("size", [(256, 192), (640, 480), (1600, 1200)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("cut", [1, 2])
def test_a_jpeg_that_lacks_only_its_end_is_whole(size, options, cut):
    image = noise(size)
    data = encoded(image, **options)
    assert opened(data[:-cut]).size == opened(data).size
    np.testing.assert_array_equal(np.asarray(opened(data[:-cut])), np.asarray(opened(data + b"\0" * 100)))


@pytest.mark.parametrize("size", [(256, 192), (1600, 1200)])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_lacks_rows_is_refused_though_it_has_an_end(size, options):
    data = encoded(noise(size), **options)
    with pytest.raises(TruncatedImageError, match="incomplete"):
        normalise(data[: len(data) * 2 // 3].rstrip(b"\xff") + b"\xff\xd9")


def test_noise_fits_too():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8))
    opened(encoded(noise, quality=100))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_truncated_files_are_refused(kind, share):
    data = encoded(noise((300, 200)), kind)
    with pytest.raises(TruncatedImageError) as error:
        normalise(data[: int(len(data) * share)])
    assert error.value.remedy


@pytest.mark.parametrize("data", [b"", b"hello", encoded(two_colours((64, 64)), "TIFF")])
def test_what_is_no_accepted_image_is_refused(data):
    with pytest.raises(NotAnImageError) as refused:
        normalise(data)
    assert refused.value.remedy


@pytest.mark.parametrize("data", [b"\xff\xd8\xff" + b"x" * 100, b"\0\0\0\x18ftypavif" + b"\0" * 100])
def test_a_beginning_alone_is_an_incomplete_image(data):
    with pytest.raises(TruncatedImageError) as refused:
        normalise(data)
    assert refused.value.remedy


@pytest.mark.parametrize("size", [(31, 100), (100, 20), (5000, 100)])
def test_what_is_too_small_or_narrow_is_refused(size):
    with pytest.raises(NotAnImageError):
        normalise(encoded(two_colours(size), "PNG"))


def test_a_photograph_of_fifty_megapixels_is_accepted():
    assert opened(encoded(Image.new("RGB", (8192, 6144), GREEN), quality=60)).size == (512, 384)


def test_too_many_bytes_are_refused():
    with pytest.raises(ImageTooLargeError):
        normalise(b"x" * (MAX_UPLOAD_BYTES + 1))


SEEDS = {kind: encoded(two_colours((600, 60)), kind) for kind in KINDS}


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
    whole = decode(encoded(two_colours((1200, 800)), exif=exif(6, "2026:07:01 08:30:00")))
    assert whole.image.size == (800, 1200)
    assert whole.captured_at
    part = encode(whole.image.crop((0, 0, 800, 600)))
    assert (part.width, part.height) == (512, 384)
    assert as_is(part.jpeg)
    with pytest.raises(NotAnImageError):
        encode(whole.image.crop((0, 0, 20, 20)))


@pytest.mark.parametrize(("side", "whole"), [(128, True), (320, True), (400, False)])
def test_small_photographs_keep_the_resolution_of_their_colours(side: int, whole: bool) -> None:
    image = opened(encoded(two_colours((side, side)), "PNG"))
    assert (image.layer[0][1:3] == (1, 1)) == whole, "sampling factors of the luma, in units of the colours'"


def test_a_jpeg_of_very_many_scans_is_not_decoded():
    out = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    assert normalise(data).width == MAX_SIDE
    end, last = data.rindex(b"\xff\xd9"), data.rindex(b"\xff\xda")
    bomb = data[:end] + data[last:end] * 150 + data[end:]
    with pytest.raises(ImageTooLargeError, match="scans"):
        normalise(bomb)
    video = b"\xff\xda" * 500  # behind the picture, as in a telephone's moving photograph
    assert normalise(data + video).width == MAX_SIDE


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1", "I;16"])
def test_a_large_image_is_shrunk_strip_by_strip_as_it_would_be_whole(mode, monkeypatch):
    image = (
        two_colours((3000, 2100)).convert("L").convert(mode)
        if mode == "I;16"
        else two_colours((3000, 2100)).convert(mode)
    )
    data = encoded(image, "PNG")
    whole = np.asarray(opened(data)).astype(int)
    monkeypatch.setattr(normalisation, "_STRIP_PIXELS", 3000)
    np.testing.assert_array_equal(np.asarray(opened(data)), whole)


def test_large_images_are_decoded_one_at_a_time(monkeypatch):
    monkeypatch.setattr(normalisation, "LARGE_PIXELS", 200 * 200)
    running, most, load = [], [], ImageFile.load

    def counted(file):
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        running.pop()
        return load(file)

    monkeypatch.setattr(ImageFile, "load", counted)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(normalise, [encoded(two_colours((300, 200)), "PNG")] * 8))
        assert max(most) == 1
        list(pool.map(normalise, [encoded(two_colours((150, 100)), "PNG")] * 8))
        assert max(most) > 1
