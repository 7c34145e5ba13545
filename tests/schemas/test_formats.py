import pytest
from images import encoded, two_colours

from schemas.errors import NotAnImageError
from schemas.formats import is_still, sniff

OPENED = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "HEIF")


def ftyp(*brands):
    return (
        (8 + 4 * len(brands) + 4).to_bytes(4)
        + b"ftyp"
        + brands[0]
        + bytes(4)
        + b"".join(brands[1:])
        + b"\0\0\0\x08mdat"
    )


@pytest.mark.parametrize("kind", OPENED)
def test_knows_what_is_accepted(kind):
    data = encoded(two_colours((64, 64)), kind)
    assert sniff(data) == kind
    assert is_still(data[:64])


@pytest.mark.parametrize(
    ("brands", "kind"),
    [
        ((b"heic", b"mif1", b"heic"), "HEIF"),
        ((b"heix",), "HEIF"),
        ((b"mif1", b"mif1", b"heic"), "HEIF"),
        ((b"mif1", b"miaf", b"avif"), "AVIF"),
        ((b"msf1", b"avis"), "AVIF"),
        ((b"hevc", b"msf1"), "HEIF"),
    ],
)
def test_files_of_boxes_are_known_by_their_brands(brands, kind):
    assert sniff(ftyp(*brands)) == kind


NAMED = {
    "JPEG XL": [b"\xff\x0a" + bytes(20), b"\0\0\0\x0cJXL \r\n\x87\n"],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0\x2f"],
    "TIFF": [b"II*\0\x08\0\0\0" + bytes(40), b"MM\0*\0\0\0\x08" + bytes(40), b"II+\0" + bytes(40)],
    "RAW": [b"II*\0\x10\0\0\0CR\2\0", b"IIRO\x08\0", b"IIU\0\x18\0", b"FUJIFILMCCD-RAW 0201", ftyp(b"crx ")],
    "Photoshop": [b"8BPS\0\1"],
    "icon": [b"\0\0\1\0\1\0\x10\x10"],
    "browsers do not show": [b"P6\n10 10\n255\n", b"qoif" + bytes(10), b"DDS " + bytes(10)],
}
OTHERS = {
    "video": [
        ftyp(b"isom", b"mp41"),
        ftyp(b"qt  "),
        ftyp(b"XAVC"),
        ftyp(b"iso9", b"cmfc"),
        b"\x1aE\xdf\xa3" + bytes(20),
        b"RIFF\0\0\0\0AVI LIST",
    ],
    "PDF": [b"%PDF-1.7\n"],
    "SVG": [b'<svg xmlns="', b'<?xml version="1.0"?>\n<svg '],
    "web page": [b"<!DOCTYPE html>\n<html>", b"  <html lang=en>", b"<?xml version='1.0'?><error/>"],
    "zip": [b"PK\3\4\x14\0"],
    "archive": [b"Rar!\x1a\7\0", b"\x1f\x8b\x08\0", b"7z\xbc\xaf\x27\x1c"],
    "empty": [b"", bytes(1000)],
    "no image": [b"hello", b"BM, a text that begins so", b"\xff\xd8", b"RIFF\0\0\0\0WAVE"],
}


@pytest.mark.parametrize(("word", "data"), [(word, each) for word, all_ in (NAMED | OTHERS).items() for each in all_])
def test_what_is_not_accepted_is_named_with_what_helps(word, data):
    with pytest.raises(NotAnImageError, match=word) as refused:
        sniff(data)
    assert len(refused.value.remedy) > 20
    assert is_still(data) == (word in NAMED)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG2000", "ICO", "PPM"])
def test_formats_that_pillow_writes(kind):
    with pytest.raises(NotAnImageError) as refused:
        sniff(encoded(two_colours((64, 64)), kind))
    assert "no image" not in str(refused.value)


def test_only_the_beginning_is_looked_at():
    class Counted(bytes):
        def __getitem__(self, key):
            assert isinstance(key, slice)
            assert key.stop <= 4096
            return super().__getitem__(key)

    for data in (b" " * 10_000_000, b"<!--" * 2_000_000, ftyp(b"mif1") + bytes(10_000_000)):
        try:
            sniff(Counted(data))
        except NotAnImageError:
            continue
