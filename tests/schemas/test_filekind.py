import io

import pytest
from PIL import Image

from schemas.filekind import HEAD_BYTES, kind_of


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000"])
def test_what_pillow_writes_is_a_picture(form: str) -> None:
    out = io.BytesIO()
    Image.new("RGB", (32, 32), "green").save(out, form)
    assert kind_of(out.getvalue()[:HEAD_BYTES]) == "picture"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x18ftypavif", "picture"),
        (b"\0\0\0\x18ftypheic", "picture"),
        (b"\0\0\0\x18ftypqt  ", "video"),
        (b"\0\0\0\x18ftypM4A ", None),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "video"),
        (b"G" + bytes(187) + b"G" + bytes(75), "video"),
        (bytes(4) + b"G" + bytes(191) + b"G" + bytes(67), "video"),
        (b"G" * 100, None),
        (b"YUV4MPEG2 W64", "video"),
        (b"RIFF\0\0\0\0AVI LIST", "video"),
        (b"RIFF\0\0\0\0WAVEfmt ", None),
        (b"BMW drives on", None),
        (b"PK\3\4", "archive"),
        (bytes(257) + b"ustar\0", "archive"),
        (b"label,path\n", None),
        (b"", None),
    ],
)
def test_kinds(head: bytes, kind: str | None) -> None:
    assert kind_of(head) == kind
