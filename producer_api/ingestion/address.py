"""Addresses of cameras: what of one may be shown, and the user name and password in it."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

HIDDEN: Final = "***"
STREAM_SCHEMES: Final = {"http", "https", "rtsp", "rtsps"}
_SCHEME: Final = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*)://")
_USER: Final = re.compile(r"^[^\s/@]*:.*@|^[^/@]*@", re.DOTALL)
_HOST: Final = re.compile(r"[\w.-]*(:\d+)?|\[[0-9A-Fa-f:.%\w]+\](:\d+)?")
_PAIR: Final = re.compile(r"(?P<name>[A-Za-z0-9_.%\[\]-]+)=(?P<value>[^&;/?#]*)")
_HARMLESS: Final = re.compile(
    r"(?i)(channel|chn?|cam(era)?(id|no)?|(sub)?streams?(type|id|no)?|subtype|profile|resolution|res|size|width|height"
    r"|fps|rate|framerate|quality|compression|codec|video(codec)?|format|proto|unicast|action|cmd|type)"
)
_PLAIN: Final = re.compile(r"[A-Za-z]{0,12}[0-9.,x]{0,11}")
"""What a harmless parameter's value looks like."""
_KEY: Final = re.compile(r"(?=[^/]*\d)[A-Za-z0-9_~+%.:!$*,-]{12,}|[^/]{24,}")
"""What a path's segment looks like that may be a key: long, and no word."""
_BEFORE_KEY: Final = re.compile(r"(?i)(access)?[_-]?(token|key|auth|secret|pass(word)?|pwd|api-?key|s|sid|session)")
_FILE: Final = re.compile(r"[A-Za-z_-]{1,40}\d{0,4}\.[a-z0-9]{2,5}|[A-Za-z]+(_[A-Za-z0-9]{1,6})+")


class Login(NamedTuple):
    """A user name and a password, as typed by a person."""

    user: str
    password: str


def is_address(source: str) -> bool:
    """Whether a source is an address, and not a path."""
    return _SCHEME.match(source) is not None


def check(address: str) -> None:
    """Raise ValueError, without the address, where it has no host."""
    try:
        host = urlsplit(address).netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    if not host or not _HOST.fullmatch(host):
        msg = "this is no address; in a user name or password write % / ? # @ : as %25 %2F %3F %23 %40 %3A"
        raise ValueError(msg) from None


def shown(source: str) -> str:
    """A source as reports and logs may show it: without user name, password, parameters' values and keys.

    Of the parameters (also of those that some recorders write into the path) only those that choose a picture keep
    their values, and parts of the path that may be keys are hidden. With an `@` elsewhere than before the host, where
    the password ends is not known and nothing is shown: an address may show too little, never too much.
    """
    found = _SCHEME.match(source)
    if not found:
        known = ":" not in source or "@" not in source or Path(source).exists()
        return source if known else _USER.sub(f"{HIDDEN}@", source)
    scheme, rest = found[1].lower(), source[found.end() :].strip()
    place, mark, query = rest.partition("?")
    host, *segments = place.split("/")
    if "@" in "".join(segments) + query or not _HOST.fullmatch(host.rpartition("@")[2]):
        return f"{scheme}://{HIDDEN}"
    after = zip(["", *segments], segments, strict=False)
    path = "/".join([host.rpartition("@")[2], *(_segment(segment, before) for before, segment in after)])
    return f"{scheme}://{path}{mark}{_query(query)}"


def without_login(source: str) -> str:
    """An address without the user name and password; what the source is locked by."""
    address = urlsplit(source)
    return address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()


def login(source: str) -> Login | None:
    """The user name and password in an address."""
    user, at, _ = urlsplit(source).netloc.rpartition("@")
    name, _, password = user.partition(":")
    return Login(unquote(name), unquote(password)) if at else None


def hide_arguments(secrets: Iterable[str]) -> None:
    """Overwrite these arguments in what `ps` shows of this process. Linux only; elsewhere nothing happens."""
    wanted = [secret.encode(errors="surrogateescape") for secret in secrets if shown(secret) != secret]
    if not wanted or sys.platform != "linux":
        return
    try:
        fields = Path("/proc/self/stat").read_bytes().rpartition(b") ")[2].split()
        start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, proc(5)
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            arguments = memory.read(end - start)
            for secret in wanted:
                arguments = arguments.replace(secret, b"*" * len(secret))
            memory.seek(start)
            memory.write(arguments)
    except (OSError, ValueError, IndexError):
        return  # without /proc the address stays as visible as it was


def _segment(segment: str, before: str) -> str:
    if _BEFORE_KEY.fullmatch(before) and segment:
        return HIDDEN
    if "=" in segment:
        return _PAIR.sub(_pair, segment)
    return HIDDEN if _KEY.fullmatch(segment) and not _FILE.fullmatch(segment) else segment


def _query(query: str) -> str:
    pairs = re.split(r"([&;])", query)
    return "".join(
        each if each in {"", "&", ";"} else _PAIR.sub(_pair, each) if _PAIR.match(each) else HIDDEN for each in pairs
    )


def _pair(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    plain = _HARMLESS.fullmatch(name) and _PLAIN.fullmatch(value)
    return f"{name}={value if plain else HIDDEN}"
