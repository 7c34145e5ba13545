"""What a file holds, by its first bytes: its suffix may be wrong or missing."""

from typing import Final, Literal

Kind = Literal["picture", "video", "archive"]

HEAD_BYTES: Final = 264
"""So many bytes are enough to tell."""

_STARTS: Final[dict[Kind, tuple[bytes, ...]]] = {
    "picture": (
        b"\xff\xd8\xff",  # JPEG
        b"\x89PNG\r\n\x1a\n",
        b"GIF87a",
        b"GIF89a",
        b"II*\0",  # TIFF, and most cameras' raw formats
        b"MM\0*",
        b"II+\0",
        b"MM\0+",
        b"IIRO",  # Olympus
        b"IIRS",
        b"MMOR",
        b"IIU\0",  # Panasonic
        b"FUJIFILMCCD-RAW",
        b"8BPS",  # Photoshop
        b"\0\0\0\x0cjP  ",  # JPEG 2000
        b"\xff\x4f\xff\x51",
        b"\0\0\0\x0cJXL ",
        b"\xff\x0a",
    ),
    "video": (
        b"YUV4MPEG2 ",
        b"\x1a\x45\xdf\xa3",
        b"\0\0\x01\xba",
        b"\0\0\x01\xb3",
        b"FLV\x01",
        b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    ),
    "archive": (
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"PK\x07\x08",
        b"7z\xbc\xaf\x27\x1c",
        b"Rar!\x1a\x07",
        b"\x1f\x8b\x08",  # gzip
        b"BZh",
        b"\xfd7zXZ\0",
        b"\x28\xb5\x2f\xfd",  # Zstandard
    ),
}
_STILL_BRANDS: Final = (
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"hevc",
    b"hevx",
    b"mif1",
    b"msf1",
    b"avif",
    b"avis",
    b"crx ",
)
_SOUND_BRANDS: Final = (b"M4A ", b"M4B ", b"M4P ")
_QUICKTIME: Final = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""What a recording may begin with instead of `ftyp`."""
_PACKETS: Final = ((0, 188), (4, 196))
"""Where the first two packets of an MPEG transport stream begin, without and with time stamps."""
_BMP_HEADERS: Final = (12, 40, 52, 56, 64, 108, 124)
_ARCHIVES: Final = {b"PK": "zip", b"7z": "7z", b"Ra": "RAR", b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz"}


def kind_of(head: bytes) -> Kind | None:
    """What a file that starts with these bytes holds; None: nothing that shows pictures."""
    for kind, starts in _STARTS.items():
        if head.startswith(starts):
            return kind
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return "picture" if brand in _STILL_BRANDS else None if brand in _SOUND_BRANDS else "video"
    if head[:4] == b"RIFF":
        return {b"WEBP": "picture", b"AVI ": "video"}.get(head[8:12])  # type: ignore[return-value]
    if head[4:8] in _QUICKTIME or any(
        head[at : at + 1] == head[next_at : next_at + 1] == b"G" for at, next_at in _PACKETS
    ):
        return "video"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "picture"
    return "archive" if head[257:262] == b"ustar" else None


def archive_format(head: bytes) -> str | None:
    """The name of an archive's format, None where it is no archive."""
    if kind_of(head) != "archive":
        return None
    return "tar" if head[257:262] == b"ustar" else _ARCHIVES.get(head[:2], "Zstandard")
