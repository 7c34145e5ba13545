import pytest
from images import after_start, encoded, exif, noise, segment, two_colours
from PIL import Image, ImageCms

from schemas.errors import ImageTooLargeError, NotAnImageError, TruncatedImageError
from schemas.jpeg import MAX_PLAIN_SEGMENTS, MAX_SEGMENTS, baseline, read


class Counted(bytes):
    """Counts how often its bytes are looked at."""

    looks = 0

    def __getitem__(self, key):
        self.looks += 1
        return super().__getitem__(key)


def jpeg(size=(256, 192), mode="RGB", **options):
    return encoded(noise(size).convert(mode), **options)


@pytest.mark.parametrize(
    "options", [{}, {"quality": 30}, {"quality": 98}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_knows_the_size_of_a_plain_photograph(options):
    assert baseline(jpeg(**options)) == (256, 192)


def test_knows_that_of_every_sample(leaves):
    for path in leaves.glob("samples/*/*.jpg"):
        with Image.open(path) as image:
            assert baseline(path.read_bytes()) == image.size


def with_sampling(data, *sampling):
    changed = bytearray(data)
    frame = data.index(b"\xff\xc0") + 10
    changed[frame + 1 : frame + 9 : 3] = bytes(sampling)
    return bytes(changed)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xd9",
        jpeg(progressive=True),
        jpeg(mode="L"),
        jpeg(mode="CMYK"),
        jpeg(exif=exif(6)),
        jpeg(comment=b"hello"),
        jpeg(icc_profile=b"x" * 200),
        jpeg() + b"trailing",
        jpeg() + jpeg(),
        with_sampling(jpeg(), 0x31, 0x21, 0x11),
    ],
)
def test_says_nothing_of_anything_else(data):
    assert baseline(data) is None


def test_no_truncation_passes():
    data = jpeg((64, 64))
    assert all(baseline(data[:end]) is None for end in range(len(data)))


@pytest.mark.parametrize("tiny", [b"\xff\xdb\0\2", b"\xff\xdd\0\2", b"\xff\xc4\0\2", b"\xff\xc0\0\2"])
def test_looks_at_few_segments_however_many_there_are(tiny):
    data = Counted(b"\xff\xd8" + tiny * 60_000 + jpeg()[2:])
    assert baseline(data) is None
    assert data.looks <= 6 * MAX_PLAIN_SEGMENTS


@pytest.mark.parametrize("tiny", [b"\xff\xfe\0\2", b"\xff\xe1\0\2", b"\xff\xdb\0\2", b"\xff\x01", b"\xff\xd8"])
def test_a_file_of_very_many_segments_is_refused_after_a_walk_over_few(tiny):
    data = Counted(b"\xff\xd8" + tiny * 2_000_000 + jpeg()[2:])
    with pytest.raises(ImageTooLargeError, match=f"{MAX_SEGMENTS} segments"):
        read(data)
    assert data.looks <= 6 * MAX_SEGMENTS


def test_padding_and_rubbish_between_segments_count_for_nothing():
    picture = jpeg()
    assert read(after_start(picture, b"\xff" * 3_000_000)).data == picture
    assert read(after_start(picture, b"rubbish" * 1000)).data == picture


def test_reads_what_draws_and_what_is_said():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() * 200  # of several segments
    image = noise()
    made = read(encoded(image, exif=exif(6), icc_profile=profile, comment=b"secret"))
    assert (made.data, made.icc, made.scans, made.progressive, made.ended) == (encoded(image), profile, 1, False, True)
    assert made.exif[:2] in {b"II", b"MM"}


def test_the_order_of_a_profiles_segments_is_in_them():
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes((number, 2)) + body) for number, body in ((2, b"bb"), (1, b"aa"))]
    assert read(after_start(jpeg(), *parts)).icc == b"aabb"


@pytest.mark.parametrize(
    "behind", [b"", b"trailing" * 1000, jpeg(), b"\xff\xda" * 500, b"\xff\xfe\0\2" * 5000, b"\0\0\0\x18ftypmp42"]
)
def test_what_stands_behind_the_image_is_dropped(behind):
    picture = jpeg()
    made = read(picture + behind)
    assert made.data == picture
    assert made.ended


@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_missing_end_is_added(cut, options):
    picture = jpeg(**options)
    made = read(picture[:-cut])
    assert made.data == picture
    assert not made.ended


def test_scans_are_counted_where_the_decoder_walks_them_all():
    assert 2 < read(jpeg(progressive=True)).scans < 15
    picture = jpeg()
    assert read(picture[:-2] + picture[picture.index(b"\xff\xda") :]).scans == 1, "the rest is not decoded"
    header = picture[: picture.index(b"\xff\xda")]
    of_one_component = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + b"\x00" * 50
    assert read(header + 7 * of_one_component + b"\xff\xd9").scans == 7
    assert read(header + 7 * of_one_component + picture[len(header) :]).scans == 8


def as_frame(marker, precision):
    data = encoded(two_colours((64, 64)))
    return data.replace(b"\xff\xc0\x00\x11\x08", bytes((0xFF, marker, 0, 0x11, precision)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (as_frame(0xC1, 12), "12-bit"),
        (as_frame(0xC0, 12), "12-bit"),
        (as_frame(0xC3, 8), "lossless"),
        (as_frame(0xC5, 8), "hierarchical"),
        (as_frame(0xF7, 8), "JPEG-LS"),
    ],
)
def test_kinds_that_browsers_do_not_show_are_named(data, reason):
    with pytest.raises(NotAnImageError, match=reason) as refused:
        read(data)
    assert "ordinary JPEG" in refused.value.remedy


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"\xff\xd8\xff\xd9", jpeg()[:300], b"\xff\xd8\xff\xc0\0\3\x08"])
def test_a_header_alone_is_no_image(data):
    with pytest.raises(TruncatedImageError):
        read(data)
