"""A camera that sends JPEGs over HTTP: a stream of them, or one for each request."""

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from PIL import Image

from producer_api.ingestion.address import login, without_login
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.frame import Shot
from producer_api.ingestion.jpeg_stream import JpegStream, Part
from producer_api.ingestion.settings import IngestSettings
from schemas.errors import ConfigurationError, TruncatedImageError
from schemas.normalisation import MAX_UPLOAD_BYTES, decode

CHUNK: Final = 64 * 1024
POLL_S: Final = 1.0
"""Between two requests to a camera that answers each with one picture, where no rate is asked."""
REMEDY: Final = "Check its address, its user name and password, and that it is on."
_FILES: Final = ("video/", "audio/", "application/vnd.apple", "application/x-mpegurl", "application/dash")
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "it is silent for too long"),
    (http.client.RemoteDisconnected, "it hung up without an answer"),
    (http.client.IncompleteRead, "it hung up in the middle of an answer"),
    (http.client.HTTPException, "it does not answer in HTTP"),
)


def shots(feed: Feed, settings: IngestSettings, stop: threading.Event) -> Iterator[Shot]:
    """The camera's pictures until it hangs up; one that sends single pictures is asked again and again.

    Where pictures begin and end is seen from their own markers, so headers of the parts, which many cameras get wrong,
    do not matter. Raises ConfigurationError, with the reason alone, where the camera can't be reached, is silent for
    too long or sends no pictures.
    """
    opener, address = _opener(feed.source)
    while not stop.is_set():
        stream, sent = JpegStream(), 0
        try:
            with opener.open(address, timeout=settings.camera_timeout_seconds) as answer:
                kind = answer.headers.get("Content-Type", "").strip().lower()
                while not stop.is_set() and (data := answer.read1(CHUNK)):
                    for part in stream.feed(data):
                        sent += 1
                        yield _shot(part)
                    if stream.unlike > MAX_UPLOAD_BYTES or (not sent and stream.unlike > CHUNK and _is_file(kind)):
                        raise _no_pictures(kind)
                rest = stream.end()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise ConfigurationError(_reason(error), REMEDY) from None  # the error itself may show the address
        if rest and (rest.data.startswith(b"\xff\xd8") or (not sent and kind.startswith("image/"))):
            sent += 1
            yield _shot(rest)
        if not sent:
            raise _no_pictures(kind)
        if sent > 1 or kind.startswith("multipart"):
            return
        stop.wait(1 / feed.fps if feed.fps else POLL_S)


class _Closed(urllib.request.BaseHandler):
    """Closes the answer that asks for a password, which urllib leaves open."""

    handler_order = 0

    def http_error_401(self, _request: Any, answer: Any, *_: Any) -> None:
        """Leave what is to be done to the handlers after this one."""
        answer.close()


def _opener(source: str) -> tuple[urllib.request.OpenerDirector, str]:
    address, known = without_login(source), login(source)
    passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    if known:
        passwords.add_password(None, address, known.user, known.password)
    opener = urllib.request.build_opener(
        urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),  # noqa: S323, SLF001  cameras sign theirs
        _Closed(),
        urllib.request.HTTPBasicAuthHandler(passwords),
        urllib.request.HTTPDigestAuthHandler(passwords),
    )
    opener.addheaders = [("User-Agent", "leafstream"), ("Accept", "*/*")]
    return opener, quote(address.partition("#")[0], safe="%/:=&?~+!$,;'@()*[]")


def _shot(part: Part) -> Shot:
    return Shot(partial(_load, part.data), part.whole)


def _load(data: bytes) -> Image.Image:
    if not data:
        msg = f"the picture is larger than {MAX_UPLOAD_BYTES // 2**20} MiB"
        raise TruncatedImageError(msg)
    return decode(data).image  # without its EXIF time: the camera's clock is another


def _is_file(kind: str) -> bool:
    return kind.startswith(_FILES) and "jpeg" not in kind


def _no_pictures(kind: str) -> ConfigurationError:
    what = kind.partition(";")[0][:60] or "something without a type"
    if _is_file(kind):
        return ConfigurationError(f"it sends a file or stream of type {what}", "Download it, then ingest the file.")
    remedy = "Open its address in a browser: it should show the picture alone, not a page around it."
    return ConfigurationError(f"it sends no JPEG pictures, but {what}", remedy)


def _reason(error: Exception) -> str:
    """In words that come from no camera, and with no address in them."""
    if isinstance(error, urllib.error.HTTPError):
        known = error.code in set(HTTPStatus)
        phrase = "authorization failed" if error.code in {401, 403} else HTTPStatus(error.code).phrase if known else ""
        return f"it answers {error.code} {phrase}".rstrip()
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _reason(error.reason)
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    strerror = error.strerror if isinstance(error, OSError) else None
    return strerror or "it can't be logged in to, or its address is wrong"
