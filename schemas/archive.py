"""Reading zips as other systems write them: any separators and encodings of names, any version, some parts damaged."""

import io
import re
import struct
import weakref
import zipfile
import zlib
from bisect import bisect_left
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from schemas.errors import ConfigurationError, TruncatedImageError
from schemas.filekind import HEAD_BYTES, archive_format
from schemas.files import StoredFile, printable, unique

_ENTRY: Final = struct.Struct("<4s4B4H3L5H2L")
"""An entry of the central directory, the list of a zip's files that stands at its end."""
_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR: Final = struct.Struct("<4sLQL")
_UTF_8: Final = 0x800
_ENCRYPTED: Final = 0x41
_UNICODE_PATH: Final = 0x7075
_UNKNOWN: Final = 0xFFFF
_READ: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_METHODS: Final = {1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES"}
_DAMAGED: Final = (
    zipfile.BadZipFile, RuntimeError, ValueError, OverflowError, EOFError, OSError, zlib.error, LZMAError, struct.error,
)  # fmt: skip
"""What zipfile and its decompressors raise; NotImplementedError and UnicodeDecodeError among them."""
_AGAIN: Final = "Copy or download it again, or pack it again."
_EAST_ASIAN: Final = "々〆\u3040-\u30ff\u4e00-\u9fff\uff01-\uff5e"


class _Name(NamedTuple):
    raw: bytes
    path: bytes
    """In UTF-8 where an extra field says so, else empty."""


class _Patched(io.RawIOBase):
    """A zip whose end reads as `end`, and whose entries do not claim an encoding of their names."""

    def __init__(self, file: IO[bytes], start: int, end: bytes) -> None:
        self._file, self._start, self._end, self._at = file, start, end, 0
        self.flags: list[int] = []
        """Where the upper bytes of the entries' flags are, in order."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._start + len(self._end))[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        size = len(buffer)
        if self._at < self._start:
            self._file.seek(self._at)
            found = bytearray(self._file.read(min(size, self._start - self._at)))
            for place in self.flags[bisect_left(self.flags, self._at) : bisect_left(self.flags, self._at + len(found))]:
                found[place - self._at] &= ~_UTF_8 >> 8
        else:
            found = bytearray(self._end[self._at - self._start : self._at - self._start + size])
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)

    def close(self) -> None:
        self._file.close()
        super().close()


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of any kind, though perhaps of one that is not read."""
    with path.open("rb") as file:
        return archive_format(file.read(HEAD_BYTES)) is not None or zipfile.is_zipfile(path)


def in_archive(source: Path) -> list[StoredFile]:
    """Every file of a zip, in order of path; one that can't be unpacked says why when it is loaded.

    Raises ConfigurationError where it is no zip, or its list of files is damaged.
    """
    try:
        file = source.open("rb")
        head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        msg = f"{source} does not exist"
        raise ConfigurationError(msg, "Correct the path.") from None
    except OSError as error:
        msg = f"{source} can't be read: {error.strerror}"
        raise ConfigurationError(msg, "Give a folder or a zip.") from error
    try:
        if (form := archive_format(head)) not in {None, "zip"}:
            msg = f"{source} is a {form} archive; of archives only zips are read"
            raise ConfigurationError(msg, "Unpack it and give the folder, or pack it as a zip.")
        start, end, names = _central_directory(file)
        patched = _Patched(file, start, end)
        archive = zipfile.ZipFile(patched)
        weakref.finalize(archive, file.close)  # once nobody holds one of its files any more
        patched.flags = sorted(info.header_offset + 7 for info in archive.infolist())
        if len(archive.infolist()) != len(names):
            msg = "its list of files is damaged"
            raise zipfile.BadZipFile(msg)
    except _DAMAGED as error:
        file.close()
        msg = f"{source} is no readable zip: {error}"
        raise ConfigurationError(msg, _AGAIN) from error
    except ConfigurationError:
        file.close()
        raise
    return _files(archive, names)


def _files(archive: zipfile.ZipFile, names: list[_Name]) -> list[StoredFile]:
    kept = [
        (path, info)
        for path, info in zip(_paths(names), archive.infolist(), strict=True)
        if info.file_size or not path.endswith("/")
    ]
    paths = unique(path.strip("/") or "nameless" for path, _ in kept)
    files = [
        StoredFile(path, info.file_size, partial(_load, archive, info))
        for path, (_, info) in zip(paths, kept, strict=True)
    ]
    return sorted(files, key=lambda file: file.path)


def _load(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> bytes:
    try:
        if info.flag_bits & _ENCRYPTED:
            msg = "it is protected by a password"
            raise TruncatedImageError(msg, "Pack it again without one.")
        if info.compress_type not in _READ:
            method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
            msg = f"it is packed with {method}, which is not read here"
            raise TruncatedImageError(msg, "Pack it again as an ordinary zip (Deflate).")
        with archive.open(info) as stream:
            return stream.read(size)
    except _DAMAGED as error:
        msg = f"the archive's entry can't be read: {error}"
        raise TruncatedImageError(msg, _AGAIN) from error


def _central_directory(file: IO[bytes]) -> tuple[int, bytes, list[_Name]]:
    """Where the central directory begins, everything from there in a form that zipfile opens, and the names in it.

    zipfile refuses a whole archive for one entry that needs a newer version, or has a name that is not in the encoding
    it claims, or a damaged extra field; here such an entry is only the one that can't be read, or is named otherwise.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 2**16 - _END.size - _LOCATOR.size - _END_64.size))
    last = file.read()
    at = len(last) - _END.size
    if not (last.startswith(b"PK\5\6", max(0, at)) and last.endswith(b"\0\0")):
        at = last.rfind(b"PK\5\6", 0, max(0, at) + 4)
    if at < 0:
        msg = "its end, with the list of its files, is missing"
        raise zipfile.BadZipFile(msg)
    _, _, _, _, announced, length, _, _ = _END.unpack_from(last, at)
    start = size - len(last) + at - length
    before = at - _LOCATOR.size - _END_64.size
    if before >= 0 and last.startswith(b"PK\6\7", at - _LOCATOR.size) and last.startswith(b"PK\6\6", before):
        *_, announced, length, _ = _END_64.unpack_from(last, before)
        start = size - len(last) + before - length
    if start < 0:
        msg = "its list of files is damaged"
        raise zipfile.BadZipFile(msg)
    file.seek(start)
    end = bytearray(file.read())
    names = _patch(end, length)
    if announced > len(names):
        msg = f"it should hold {announced} files and lists {len(names)}"
        raise zipfile.BadZipFile(msg)
    return start, bytes(end), names


def _patch(directory: bytearray, length: int) -> list[_Name]:
    names = []
    at = 0
    while at + _ENTRY.size <= length and directory.startswith(b"PK\1\2", at):
        fields = _ENTRY.unpack_from(directory, at)
        flags, (name_size, extra_size, comment_size) = fields[5], fields[12:15]
        directory[at + 6] = zipfile.DEFAULT_VERSION
        struct.pack_into("<H", directory, at + 8, flags & ~_UTF_8)
        raw = bytes(directory[at + _ENTRY.size : at + _ENTRY.size + name_size])
        extra = at + _ENTRY.size + name_size
        names.append(_Name(raw, _unicode_path(directory, extra, extra + extra_size, zlib.crc32(raw))))
        at = extra + extra_size + comment_size
    return names


def _unicode_path(directory: bytearray, at: int, end: int, checksum: int) -> bytes:
    path = b""
    while at + 4 <= end:
        kind, size = struct.unpack_from("<HH", directory, at)
        if at + 4 + size > end:
            struct.pack_into("<HH", directory, at, _UNKNOWN, end - at - 4)
            break
        if kind == _UNICODE_PATH:
            if size > 5 and struct.unpack_from("<BL", directory, at + 4) == (1, checksum):
                path = bytes(directory[at + 9 : at + 4 + size])
            struct.pack_into("<H", directory, at, _UNKNOWN)
        at += 4 + size
    return path


def _paths(names: list[_Name]) -> list[str]:
    """Relative paths with `/`, without drives, roots and `..`; a folder's ends in `/`."""
    foreign = [name.raw for name in names if _decoded(name.raw, "utf-8") is None]
    encoding = next(
        (each for each in ("cp932", "gb18030") if foreign and all(_is_text(n, each) for n in foreign)), "cp437"
    )
    paths = []
    for name in names:
        text = _decoded(name.path, "utf-8") or _decoded(name.raw, "utf-8")
        if text is None:
            text = name.raw.decode(encoding)
            if encoding == "cp437" and _decoded(name.raw, "cp932") is not None:  # a backslash may be half a letter
                text = re.sub(r"(?<=[\x80-\U0010ffff])\\", "\ufffd", text)
        parts = re.sub(r"^[\\/?.]*[A-Za-z]:", "", text.split("\0")[0]).replace("\\", "/").split("/")
        path = "/".join(printable(part) for part in parts if part not in {"", ".", ".."})
        paths.append(path if parts[-1] not in {"", ".", ".."} else f"{path}/")
    return paths


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_text(raw: bytes, encoding: str) -> bool:
    """Whether these bytes make words in an East Asian encoding: whole letters, none glued to a Latin one."""
    text = _decoded(raw, encoding)
    if text is None or not re.fullmatch(rf"[ -~{_EAST_ASIAN}]*", text):
        return False
    return not re.search(rf"[A-Za-z][{_EAST_ASIAN}]|[{_EAST_ASIAN}][A-Za-z]", text)
