import pytest
from images import after_start, chunk, encoded, exif, noise, segment, tiff, two_colours
from PIL import Image

from schemas import imagefile
from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.imagefile import (
    MAX_COPIED_PIXELS,
    MAX_PIXELS,
    MAX_READS,
    MAX_SCALED_PIXELS,
    MAX_SCANS,
    MAX_SECONDS,
    open_image,
)


def with_size(jpeg, width, height):
    """The same with another size in its header, as bombs have it."""
    at = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2")) + 5
    return jpeg[:at] + height.to_bytes(2) + width.to_bytes(2) + jpeg[at + 4 :]


def webp(width, height):
    """A small file whose header says that it is large."""
    data = encoded(Image.new("RGBA", (64, 64)), "WEBP", lossless=True)
    bits = (int.from_bytes(data[21:25], "little") & ~0xFFFFFFF) | (width - 1) | (height - 1) << 14
    return data[:21] + bits.to_bytes(4, "little") + data[25:]


JPEG, PROGRESSIVE = encoded(two_colours((64, 64))), encoded(two_colours((64, 64)), progressive=True)


@pytest.mark.parametrize("size", [(8160, 6144), (8192, 6144), (9248, 6936), (12000, 9000), (16320, 12240)])
def test_photographs_of_telephones_are_opened(size):
    assert open_image(with_size(JPEG, *size), scaled=True).image.size == size


@pytest.mark.parametrize(
    ("data", "scaled", "limit"),
    [
        (with_size(JPEG, 65500, 5000), True, MAX_SCALED_PIXELS),
        (with_size(JPEG, 65500, 4100), True, MAX_SCALED_PIXELS),
        (with_size(JPEG, 8192, 8193), False, MAX_PIXELS),
        (with_size(PROGRESSIVE, 12000, 9000), True, MAX_PIXELS),
        (encoded(Image.new("1", (8192, 8200)), "PNG"), True, MAX_PIXELS),
        (webp(8000, 5000), True, MAX_COPIED_PIXELS),
    ],
)
def test_the_message_never_contradicts_itself(data, scaled, limit):
    with pytest.raises(ImageTooLargeError, match="megapixels") as refused:
        open_image(data, scaled=scaled)
    words = str(refused.value).replace(",", "").split()
    numbers = [float(word) for word in words if word.replace(".", "").isdigit()]
    assert len(numbers) == 1 or numbers[0] > numbers[1]
    assert numbers[-1] <= limit / 1e6
    assert "smaller" in refused.value.remedy


def large(kind, width=20000, height=30000):
    """A small file whose header says that it is large."""
    data = bytearray(encoded(two_colours((64, 64)), kind))
    if kind == "GIF":
        data[6:10] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    elif kind == "BMP":
        data[18:26] = width.to_bytes(4, "little") + height.to_bytes(4, "little")
    else:
        data[8:33] = chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + bytes(data[24:29]))
    return bytes(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
@pytest.mark.parametrize("width", [20000, 5000, 2500])
def test_bombs_are_refused_before_they_are_decoded(kind, width):
    with pytest.raises(ImageTooLargeError, match="megapixels"):
        open_image(large(kind, width), scaled=True)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF", "GIF", "BMP"])
def test_just_within_the_limits_each_format_is_opened(kind):
    assert open_image(encoded(two_colours((1200, 800)), kind), scaled=True).load().size == (1200, 800)


def test_scans_times_pixels_are_bounded():
    end, last = PROGRESSIVE.rindex(b"\xff\xd9"), PROGRESSIVE.rindex(b"\xff\xda")
    many = PROGRESSIVE[:end] + PROGRESSIVE[last:end] * 50 + PROGRESSIVE[end:]
    assert open_image(many, scaled=True)
    with pytest.raises(ImageTooLargeError, match="scans"):
        open_image(with_size(many, 8000, 6000), scaled=True)
    with pytest.raises(ImageTooLargeError, match="scans"):
        open_image(PROGRESSIVE[:end] + PROGRESSIVE[last:end] * MAX_SCANS + PROGRESSIVE[end:], scaled=True)


def gif_of_many_comments():
    data = encoded(two_colours((64, 64)), "GIF")
    at = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:at] + b"\x21\xfe\1x\0" * 1_000_000 + data[at:]


def test_pieces_are_bounded(monkeypatch):
    reads, read = [], imagefile._Budget.read
    monkeypatch.setattr(imagefile._Budget, "read", lambda *given: reads.append(1) or read(*given))
    with pytest.raises(ImageTooLargeError, match="pieces"):
        open_image(gif_of_many_comments(), scaled=True)
    assert MAX_READS <= len(reads) <= MAX_READS + 1


def test_seconds_are_bounded(monkeypatch):
    file = open_image(encoded(noise((3000, 2000)), quality=95), scaled=False)
    later = imagefile.time.monotonic() + MAX_SECONDS + 1
    monkeypatch.setattr(imagefile.time, "monotonic", lambda: later)
    with pytest.raises(ImageTooLargeError, match="too long"):
        file.load()


def test_run_length_encoded_bitmaps_are_named():
    bitmap = bytearray(encoded(two_colours((64, 64)).quantize(8), "BMP"))
    bitmap[30] = 1
    with pytest.raises(NotAnImageError, match="run-length"):
        open_image(bytes(bitmap), scaled=True)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.97])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_a_jpeg_that_lacks_rows_is_refused_with_an_end_too(options, share):
    data = encoded(noise(), **options)
    cut = data[: int(len(data) * share)]
    for variant in (cut, cut.rstrip(b"\xff") + b"\xff\xd9") if not options.get("progressive") else (cut,):
        with pytest.raises(TruncatedImageError, match="incomplete"):
            open_image(variant, scaled=True).load()


def test_odd_segments_do_not_reach_the_decoder():
    odd = [
        segment(0xE1, b"Exif\0\0" + b"\xff" * 100),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b'tiff:Orientation="6"'),
        segment(0xE2, b"MPF\0" + b"\xff" * 60),
        segment(0xE2, b"ICC_PROFILE\0\1"),
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM" + b"\xff" * 40),
        segment(0xEE, b"Adobe"),
        segment(0xE0, b"JFXX\0\x10" + JPEG),
        segment(0xFE, b"\xff\xd8\xff\xd9" * 10),
    ]
    file = open_image(after_start(JPEG, *odd), scaled=True)
    assert file.load().size == (64, 64)
    assert file.exif == (None, None)


@pytest.mark.filterwarnings("ignore")  # of Pillow, which writes the file
@pytest.mark.parametrize("kind", ["WEBP", "HEIF", "AVIF"])
def test_exif_that_nobody_can_read_refuses_no_image(kind):
    marker = b"II*\0" + bytes(range(1, 60))
    data = encoded(two_colours((64, 64)), kind, exif=b"Exif\0\0" + marker)
    assert marker in data
    odd_tag = tiff((0x011A, 2, 3, b"72\0\0"), (0x0112, 3, 1, b"\6\0\0\0"))
    for odd in (b"\xff" * len(marker), odd_tag.ljust(len(marker), b"\0")):
        assert open_image(data.replace(marker, odd), scaled=True).load()


def test_an_avif_keeps_its_time_and_turns_once():
    data = encoded(two_colours((64, 48)), "AVIF", exif=exif(6, "2026:07:01 08:30:00").tobytes())
    file = open_image(data, scaled=True)
    assert file.exif.captured_at
    assert file.exif.turn is Image.Transpose.ROTATE_270


@pytest.mark.parametrize("side", [301, 302, 303, 304, 305, 306])
def test_webp_files_whose_outer_size_is_wrong(side):
    data = encoded(noise((side, 200)), "WEBP")
    for wrong in (0, 2**32 - 1, len(data) + 10):
        assert open_image(data[:4] + wrong.to_bytes(4, "little") + data[8:], scaled=True).load()
    if int.from_bytes(data[16:20], "little") % 2:
        assert open_image(data[:-1], scaled=True).load(), "only the padding is missing"


def test_a_png_of_very_many_chunks_is_refused():
    data = encoded(two_colours((64, 64)), "PNG")
    with pytest.raises(ImageTooLargeError):
        open_image(data[:33] + chunk(b"tEXt", b"a\0b") * 100_000 + data[33:], scaled=True)
