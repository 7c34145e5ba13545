import struct
import tarfile
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.archive import in_archive
from schemas.errors import ConfigurationError, ImageError, TruncatedImageError

LIMIT = 2**20


def packed(path: Path, names: list[bytes], content: bytes = b"leaf", **options: int) -> Path:
    """A zip with exactly these bytes as names, none of them flagged as UTF-8."""
    stand_ins = [f"{number:03}".rjust(len(name), "N") for number, name in enumerate(names)]
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name in stand_ins:
            archive.writestr(name, content)
    data = path.read_bytes()
    for stand_in, name in zip(stand_ins, names, strict=True):
        data = data.replace(stand_in.encode(), name)
    path.write_bytes(data)
    return path


def changed(path: Path, place: bytes, offset: int, form: str, value: int) -> Path:
    """The same file with a number written `offset` bytes after the first `place`."""
    data = bytearray(path.read_bytes())
    struct.pack_into(form, data, data.index(place) + offset, value)
    path.write_bytes(data)
    return path


def names(path: Path) -> list[str]:
    files = in_archive(path)
    assert all(file.read(LIMIT) == b"leaf" for file in files)
    return [str(file.path) for file in files]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (b"roof\\a\\1.jpg", "roof/a/1.jpg"),
        (b"C:\\roof\\1.jpg", "roof/1.jpg"),
        (b"D:1.jpg", "1.jpg"),
        (b"\\\\server\\roof\\1.jpg", "server/roof/1.jpg"),
        (b"\\\\?\\C:\\roof\\1.jpg", "roof/1.jpg"),
        (b"/etc/1.jpg", "etc/1.jpg"),
        (b"../../roof/./1.jpg", "roof/1.jpg"),
        (b"a//b.jpg", "a/b.jpg"),
        (b"../..", "nameless"),
        (b"roof\\1.jpg/", "roof/1.jpg"),
        (b"a\x1b[31m\n.jpg", r"a\x1b[31m\n.jpg"),
        ("blätt.jpg".encode(), "blätt.jpg"),
        ("Köln/Grüße.jpg".encode("cp437"), "Köln/Grüße.jpg"),
        ("Santé\\1.jpg".encode("cp437"), "Santé/1.jpg"),
        ("トマト/葉.jpg".encode("cp932"), "トマト/葉.jpg"),
        ("表.jpg".encode("cp932"), "表.jpg"),
        ("番茄/晚疫病.jpg".encode("gb18030"), "番茄/晚疫病.jpg"),
        (b"n" * 60_000, "n" * 60_000),
    ],
)
def test_names_of_other_systems(tmp_path: Path, stored: bytes, shown: str) -> None:
    assert names(packed(tmp_path / "a.zip", [stored])) == [shown]


def test_half_a_japanese_letter_is_no_separator(tmp_path: Path) -> None:
    (name,) = names(packed(tmp_path / "a.zip", ["leaf表.jpg".encode("cp932")]))
    assert "/" not in name


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [b"a/1.jpg", b"a\\1.jpg", b"../a/1.jpg", b"a/1 (2).jpg", b"A/1.jpg"])
    assert names(path) == ["A/1.jpg", "a/1 (2) (2).jpg", "a/1 (2).jpg", "a/1 (3).jpg", "a/1.jpg"]


def test_composed_and_decomposed_letters_are_two_names(tmp_path: Path) -> None:
    assert len(names(packed(tmp_path / "a.zip", ["\u00e4.jpg".encode(), "a\u0308.jpg".encode()]))) == 2


def test_folders_are_no_files(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("roof")
        archive.writestr("house\\", b"")
        archive.writestr("roof/1.jpg", b"leaf")
    assert names(tmp_path / "a.zip") == ["roof/1.jpg"]


def test_a_name_that_is_not_the_utf_8_it_claims_is_a_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("bläää.jpg", b"leaf")
        archive.writestr("b.jpg", b"leaf")
    data = (tmp_path / "a.zip").read_bytes().replace("bläää".encode(), b"bl\xe4\xe4\xe4\xe4\xe4\xe4")
    (tmp_path / "a.zip").write_bytes(data)
    assert len(names(tmp_path / "a.zip")) == 2


@pytest.mark.parametrize("mark", [b"PK\1\2", b"PK\3\4"])
def test_an_entry_that_asks_for_a_newer_version_is_tried(tmp_path: Path, mark: bytes) -> None:
    path = packed(tmp_path / "a.zip", [b"a.jpg", b"b.jpg"])
    assert names(changed(path, mark, 6 if mark == b"PK\1\2" else 4, "<H", 99)) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(("size", "shown"), [(5 + 7, "1.jpg"), (60_000, "a.jpg")])
def test_the_unicode_path_of_an_extra_field_counts_and_a_damaged_one_does_not(
    tmp_path: Path, size: int, shown: str
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("a.jpg")
        path = b"1.jpg".ljust(7, b"\0")
        info.extra = struct.pack("<HHBL", 0x7075, 5 + len(path), 1, zlib.crc32(b"a.jpg")) + path
        archive.writestr(info, b"leaf")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    struct.pack_into("<H", data, data.rindex(b"\x75\x70\x0c\x00") + 2, size)
    (tmp_path / "a.zip").write_bytes(data)
    assert names(tmp_path / "a.zip") == [shown]


@pytest.mark.parametrize(
    ("mark", "offset", "value", "reason"),
    [
        (b"PK\1\2", 8, 1, "password"),
        (b"PK\1\2", 10, 9, "Deflate64"),
        (b"PK\1\2", 10, 93, "Zstandard"),
        (b"PK\1\2", 10, 99, "AES"),
        (b"PK\1\2", 10, 77, "method 77"),
        (b"PK\3\4", 26, 3, "differ"),
        (b"leaf", 0, 0, "CRC"),
    ],
)
def test_an_entry_that_can_not_be_unpacked_says_why_and_stops_no_other(
    tmp_path: Path, mark: bytes, offset: int, value: int, reason: str
) -> None:
    bad, good = in_archive(changed(packed(tmp_path / "a.zip", [b"a.jpg", b"b.jpg"]), mark, offset, "<H", value))
    with pytest.raises(TruncatedImageError, match=reason):
        bad.read(LIMIT)
    assert good.read(LIMIT) == b"leaf"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compressed_bytes_are_said_and_not_thrown(tmp_path: Path, method: int) -> None:
    path = packed(tmp_path / "a.zip", [b"a.jpg"], bytes(range(256)) * 9, compression=method)
    data = bytearray(path.read_bytes())
    for place in range(44, 70):
        data[place] ^= 0x5A
    path.write_bytes(data)
    (file,) = in_archive(path)
    with pytest.raises(TruncatedImageError, match="can't be read"):
        file.read(LIMIT)


def test_zip64_and_data_descriptors(tmp_path: Path) -> None:
    with (tmp_path / "a.zip").open("wb") as raw, zipfile.ZipFile(_Pipe(raw), "w") as archive:  # type: ignore[arg-type]
        with archive.open("big.jpg", "w", force_zip64=True) as entry:
            entry.write(b"leaf")
        for number in range(70_000 - 1):
            archive.writestr(f"{number}.jpg", b"leaf")
    files = in_archive(tmp_path / "a.zip")
    assert len(files) == 70_000
    assert {file.read(LIMIT) for file in files[::7_000] + files[-1:]} == {b"leaf"}


class _Pipe:
    """Can't be sought in, so that zipfile writes sizes behind the data."""

    def __init__(self, raw: object) -> None:
        self.write = raw.write  # type: ignore[attr-defined]
        self.flush = raw.flush  # type: ignore[attr-defined]


def test_what_stands_before_and_behind_does_not_matter(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [b"a.jpg"])
    path.write_bytes(b"MZ this program unpacks itself" + path.read_bytes() + b"\r\n")
    assert names(path) == ["a.jpg"]


def test_every_truncation_is_said_and_not_thrown(tmp_path: Path) -> None:
    whole = packed(tmp_path / "a.zip", [b"a.jpg", b"b.jpg"]).read_bytes()
    for size in range(len(whole)):
        (tmp_path / "a.zip").write_bytes(whole[:size])
        with pytest.raises(ConfigurationError, match="no readable zip"):
            in_archive(tmp_path / "a.zip")


def test_every_flipped_byte_is_said_and_not_thrown(tmp_path: Path) -> None:
    whole = packed(tmp_path / "a.zip", [b"a/1.jpg", b"b/2.jpg"]).read_bytes()
    for place in range(len(whole)):
        (tmp_path / "a.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(ConfigurationError):
            files = in_archive(tmp_path / "a.zip")
            assert len(files) == 2
            for file in files:
                with suppress(ImageError):
                    file.read(LIMIT)


def test_a_list_that_lacks_files_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", [b"a.jpg", b"b.jpg"])
    data = path.read_bytes()
    first, second, end = data.index(b"PK\1\2"), data.rindex(b"PK\1\2"), data.index(b"PK\5\6")
    path.write_bytes(data[:second] + data[end : end + 12] + struct.pack("<L", second - first) + data[end + 16 :])
    with pytest.raises(ConfigurationError, match="should hold 2 files and lists 1"):
        in_archive(path)


def test_other_archives_are_called_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"leaf")
    for mode, form in (("w", "tar"), ("w:gz", "gzip"), ("w:bz2", "bzip2"), ("w:xz", "xz")):
        with tarfile.open(tmp_path / "a.zip", mode) as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "a.jpg", "a.jpg")
        with pytest.raises(ConfigurationError, match=f"is a {form} archive"):
            in_archive(tmp_path / "a.zip")


@pytest.mark.parametrize("content", [None, b"", b"PK\5\6 or not", b"\xff\xd8\xff a picture"])
def test_no_zip_at_all(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ConfigurationError, match="no readable zip" if content is not None else "does not exist"):
        in_archive(tmp_path / "a.zip")
