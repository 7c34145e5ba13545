"""A video's frames look as players show them."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image
from recordings import GREEN, Ingested, plain, record, scene, with_display_matrix

from producer_api.ingestion.rendering import render
from schemas.errors import ImageTooLargeError, NotAnImageError

BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)
LEAF = tuple(value / 255 for value in GREEN)
PQ, HLG = 16, 18
SIDE_W, SIDE_H = 160, 120


def shown(path, frame, **options):
    """The middle of the first frame of a video of this frame."""

    def tag(stream):
        context = stream.codec_context
        context.colorspace, context.color_primaries = frame.colorspace, frame.color_primaries
        context.color_trc, context.color_range = frame.color_trc, frame.color_range

    seen = Ingested(record(path, [frame, frame], prepare=tag, **options))
    assert seen.images, seen.bad
    return np.array(seen.images[0].getpixel((seen.images[0].width // 2, seen.images[0].height // 2)))


def near(found, wanted, by=6):
    return np.abs(found - np.array(wanted)).max() <= by


def corner(image):
    """Which quarter is red."""
    spots = {
        "top left": (0.25, 0.25),
        "top right": (0.75, 0.25),
        "bottom left": (0.25, 0.75),
        "bottom right": (0.7, 0.7),
    }
    spots = {name: image.getpixel((int(x * image.width), int(y * image.height))) for name, (x, y) in spots.items()}
    return [name for name, (red, green, _) in spots.items() if red > 120 > green]


@pytest.mark.parametrize(
    ("matrix", "size", "wanted"),
    [
        ((1, 0, 0, 1, 0, 0), (SIDE_W, SIDE_H), "top left"),
        ((0, 1, -1, 0, SIDE_H, 0), (SIDE_H, SIDE_W), "top right"),
        ((-1, 0, 0, -1, SIDE_W, SIDE_H), (SIDE_W, SIDE_H), "bottom right"),
        ((0, -1, 1, 0, 0, SIDE_W), (SIDE_H, SIDE_W), "bottom left"),
        ((-1, 0, 0, 1, SIDE_W, 0), (SIDE_W, SIDE_H), "top right"),
        ((1, 0, 0, -1, 0, SIDE_H), (SIDE_W, SIDE_H), "bottom left"),
        ((0, 1, 1, 0, 0, 0), (SIDE_H, SIDE_W), "top left"),
        ((0, -1, -1, 0, SIDE_H, SIDE_W), (SIDE_H, SIDE_W), "bottom right"),
    ],
)
def test_turned_and_mirrored_as_the_container_says(tmp_path, matrix, size, wanted):
    data = record(tmp_path / "a.mp4", [scene()] * 2).read_bytes()
    (tmp_path / "b.mp4").write_bytes(with_display_matrix(data, matrix))
    (image, _) = Ingested(tmp_path / "b.mp4").images
    assert image.size == size
    assert corner(image) == [wanted]


@pytest.mark.parametrize(("aspect", "size"), [((2, 1), (320, 120)), ((1, 2), (160, 240)), ((12, 11), (175, 120))])
def test_pixels_are_square(tmp_path, aspect, size):
    (image, _) = Ingested(record(tmp_path / "a.mp4", [scene()] * 2, sar=Fraction(*aspect))).images
    assert image.size == size


def test_stretched_first_and_turned_then(tmp_path):
    data = record(tmp_path / "a.mp4", [scene()] * 2, sar=Fraction(2, 1)).read_bytes()
    (tmp_path / "b.mp4").write_bytes(with_display_matrix(data, (0, 1, -1, 0, SIDE_H, 0)))
    (image, _) = Ingested(tmp_path / "b.mp4").images
    assert image.size == (120, 320)
    assert corner(image) == ["top right"]


@pytest.mark.parametrize("size", [(1280, 720), (1920, 800), (720, 1280)])
def test_untagged_hd_is_bt709(tmp_path, size):
    assert near(shown(tmp_path / "a.mp4", plain(LEAF, size=size, matrix=BT709)), GREEN)


def inside(data, path, box):
    """An MP4's bytes, whose index is at the end, with this box at the end of the one at `path`."""
    changed, start, end = bytearray(data), 0, len(data)
    for name in path:
        at = data.index(name, start, end) - 4
        length = int.from_bytes(data[at : at + 4])
        changed[at : at + 4] = (length + len(box)).to_bytes(4)
        start, end = at + 8, at + length
    return bytes(changed[:end] + box + changed[end:])


def test_what_an_mp4_hides_at_the_sides(tmp_path):
    """A clean aperture of 100 x 80 pixels whose middle is 10 right of and 5 above the picture's."""
    numbers = (100, 1, 80, 1, 10, 1, -5, 1)
    box = b"\x00\x00\x00\x28clap" + b"".join(number.to_bytes(4, signed=True) for number in numbers)
    data = record(tmp_path / "a.mp4", [scene()] * 2).read_bytes()
    tree = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1")
    (tmp_path / "b.mp4").write_bytes(inside(data, tree, box))
    (whole, _), (image, _) = (Ingested(tmp_path / name).images for name in ("a.mp4", "b.mp4"))
    assert whole.size == (160, 120)
    assert image.size == (100, 80)
    assert near(np.asarray(image).astype(int), np.asarray(whole.crop((40, 15, 140, 95))).astype(int))


def test_what_a_matroska_file_hides_at_the_sides(tmp_path):
    data = bytearray(record(tmp_path / "a.mkv", [scene()] * 2).read_bytes())
    video = data.index(b"\xe0\x8a\xb0")
    space = data.index(b"\xec\x01", video)  # 11 bytes of nothing, of which 3 stay
    fields, after = data[video + 2 : video + 2 + (data[video + 1] & 0x7F)], video + 2 + (data[video + 1] & 0x7F)
    hidden = b"\x54\xcc\x81\x0a\x54\xbb\x81\x14"
    data[video : space + 11] = (
        bytes([0xE0, 0x80 | len(fields + hidden)]) + fields + hidden + data[after:space] + b"\xec\x81\x00"
    )
    (tmp_path / "b.mkv").write_bytes(data)
    (whole, _), (image, _) = (Ingested(tmp_path / name).images for name in ("a.mkv", "b.mkv"))
    assert image.size == (150, 100)
    assert near(np.asarray(image).astype(int), np.asarray(whole.crop((10, 20, 160, 120))).astype(int))


def test_untagged_sd_is_bt601(tmp_path):
    assert near(shown(tmp_path / "a.mp4", plain(LEAF, size=(720, 576), matrix=BT601)), GREEN)


@pytest.mark.parametrize(
    ("matrix", "tags"), [(BT601, (6, 6, 6)), (BT601, (5, 5, 6)), (BT709, (1, 1, 1)), (BT709, (2, 1, 1))]
)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("size", [(320, 240), (1280, 720)])
def test_tags_count_before_size(tmp_path, matrix, tags, full, size):
    assert near(shown(tmp_path / "a.mp4", plain(LEAF, size=size, matrix=matrix, tags=tags, full=full)), GREEN)


@pytest.mark.parametrize("pixels", ["yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le"])
def test_more_colour_and_more_bits(tmp_path, pixels):
    frame = plain(LEAF, matrix=BT709, tags=(1, 1, 1), pixels=pixels)
    assert near(shown(tmp_path / "a.mp4", frame), GREEN)


def test_motion_jpeg_is_bt601_in_full_range_at_any_size(tmp_path):
    frame = plain(LEAF, size=(1280, 720), matrix=BT601, full=True, pixels="yuvj420p")
    assert near(shown(tmp_path / "a.avi", frame, codec="mjpeg"), GREEN, by=8)


def hdr(transfer, rgb, primaries=9, matrix=9):
    return plain(rgb, matrix=BT2020, pixels="yuv420p10le", tags=(matrix, primaries, transfer))


@pytest.mark.parametrize(("transfer", "white"), [(HLG, 0.75), (PQ, 0.58)])
def test_white_is_white_in_hdr_and_highlights_stay_apart(tmp_path, transfer, white):
    greys = [0.1, 0.3, white - 0.15, white, white + 0.1, white + 0.15]
    levels = [shown(tmp_path / f"{grey}.mp4", hdr(transfer, (grey,) * 3)) for grey in greys]
    assert all(max(level) - min(level) <= 4 for level in levels)
    assert 225 <= levels[3].min() <= 245
    assert all(later[0] - earlier[0] >= 3 for earlier, later in pairwise(levels))


@pytest.mark.parametrize("tags", [(9, 9), (2, 2), (9, 2)])
def test_hdr_greens_are_as_saturated_as_they_were(tmp_path, tags):
    """The same light, worked out by hand: BT.2100's HLG to nits, BT.2020 to BT.709, sRGB."""
    seen = shown(tmp_path / "a.mp4", hdr(HLG, (0.35, 0.55, 0.30), *reversed(tags)))
    assert near(seen, (33, 153, 73), by=8)


def test_wide_gamut_without_hdr(tmp_path):
    p3 = shown(tmp_path / "a.mp4", plain(LEAF, matrix=BT709, tags=(1, 12, 13)))
    assert p3[0] < GREEN[0] - 15
    assert near(shown(tmp_path / "b.mp4", plain((0.5,) * 3, matrix=BT709, tags=(1, 12, 13))), (128,) * 3)
    wide = shown(tmp_path / "c.mp4", hdr(14, LEAF))
    assert wide[1] > GREEN[1]


def test_colours_that_are_not_read_are_refused_with_a_reason(tmp_path):
    frame = plain(LEAF, matrix=BT709, tags=(8, 1, 1), pixels="yuv444p")
    seen = Ingested(
        record(tmp_path / "a.mp4", [frame] * 2, prepare=lambda s: setattr(s.codec_context, "colorspace", 8))
    )
    assert len(seen.bad) == 2
    assert "matrix coefficients 8" in next(iter(seen.bad.values()))


def test_dolby_vision_without_a_base_for_others_is_refused_with_a_reason():
    class Metadata:
        type = av.sidedata.sidedata.Type.DOVI_METADATA

        def __bytes__(self):
            return b""

    class Profile5:
        """PyAV writes no Dolby Vision."""

        side_data = (Metadata(),)

        def __getattr__(self, name):
            return getattr(plain(LEAF, matrix=BT709), name)

    with pytest.raises(NotAnImageError, match="profile 5"):
        render(Profile5())


def test_fields_taken_at_different_times_do_not_comb(tmp_path):
    """The bar stands elsewhere in the odd lines than in the even ones."""
    pixels = np.full((120, 160, 3), 255, np.uint8)
    pixels[::2, 40:60] = 0
    pixels[1::2, 100:120] = 0
    options = {"flags": "+ildct+ilme", "x264-params": "interlaced=1:qp=1"}
    (image, _) = Ingested(record(tmp_path / "a.mp4", [Image.fromarray(pixels)] * 2, **options)).images
    lines = np.asarray(image.convert("L")).astype(int)
    assert image.size == (160, 120)
    assert lines[10:110, 50].max() < 60 or lines[10:110, 110].max() < 60
    assert np.abs(np.diff(lines[10:110], axis=0)).max() < 60


@pytest.mark.parametrize(("suffix", "codec"), [("mov", "png"), ("mov", "qtrle"), ("mkv", "ffv1")])
def test_transparent_parts_are_white(tmp_path, suffix, codec):
    pixels = np.zeros((120, 160, 4), np.uint8)
    pixels[:, 80:] = (*GREEN, 255)
    frame = av.VideoFrame.from_ndarray(pixels, "rgba")
    wanted = {"png": "rgba", "qtrle": "argb", "ffv1": "bgra"}[codec]
    frame = frame.reformat(format=wanted)
    (image, _) = Ingested(record(tmp_path / f"a.{suffix}", [frame] * 2, codec=codec)).images
    assert near(np.array(image.getpixel((20, 60))), (255,) * 3)
    assert near(np.array(image.getpixel((120, 60))), GREEN)


def test_grey_of_night(tmp_path):
    frame = av.VideoFrame.from_ndarray(np.full((120, 160), 90, np.uint8), "gray")
    (image, _) = Ingested(record(tmp_path / "a.mkv", [frame] * 2, codec="ffv1")).images
    assert image.mode == "RGB"
    assert max(image.getpixel((80, 60))) - min(image.getpixel((80, 60))) == 0


def test_pixels_that_can_not_be_converted_are_refused_with_a_reason():
    class Odd:
        """FFmpeg knows some pixel formats that its scaler does not."""

        def __init__(self):
            self._frame = av.VideoFrame(64, 48, "gbrp")

        def __getattr__(self, name):
            return getattr(self._frame, name)

        def reformat(self, **_):
            raise av.error.ArgumentError(22, "Invalid argument")

    with pytest.raises(NotAnImageError, match="pixels are coded in a way"):
        render(Odd())


def test_frames_of_too_many_pixels_are_refused():
    with pytest.raises(ImageTooLargeError, match="72 megapixels"):
        render(av.VideoFrame(9000, 8000, "gray"))
