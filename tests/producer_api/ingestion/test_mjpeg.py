"""Cameras over HTTP as they are: pictures come, or a reason a person can act on, after pauses that grow."""

import hashlib
import logging
import re
import threading
from contextlib import closing
from itertools import islice

import pytest
from http_camera import HttpCamera, answer
from photographs import jpeg

from producer_api.ingestion import video
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.video import live
from schemas.errors import ConfigurationError, ImageError

SETTINGS = IngestSettings(camera_timeout_seconds=2, reconnect_seconds=60)
JPEGS = [jpeg(number) for number in range(6)]
MULTIPART = "multipart/x-mixed-replace; boundary=frame"


def parts(jpegs, kind="image/jpeg", length=True):
    return b"".join(
        b"--frame\r\nContent-Type: %s\r\n" % kind.encode()
        + (b"Content-Length: %d\r\n" % len(each) if length else b"")
        + b"\r\n"
        + each
        + b"\r\n"
        for each in jpegs
    )


class Stop(threading.Event):
    """Waits no second, and notes how long it was to wait."""

    def __init__(self):
        super().__init__()
        self.pauses = []

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        return self.is_set()


def frames(url, count, stop=None, *, patient=False, settings=SETTINGS, **options):
    feed = Feed.of(source=url, camera="roof", **options)
    with closing(live(feed, settings, stop or Stop(), patient=patient)) as found:
        return list(islice(found, count))


def loaded(found):
    good, bad = [], []
    for frame in found:
        try:
            good.append(frame.load().size)
        except ImageError as error:
            bad.append(str(error))
    return good, bad


@pytest.mark.parametrize(
    "kind",
    ["image/jpeg", "image/jpg", "image/jpeg;size=12", "IMAGE/JPEG; charset=utf-8", "image/pjpeg", "", "text/plain"],
)
def test_parts_of_any_content_type(kind):
    with HttpCamera(answer(parts(JPEGS, kind), MULTIPART)) as camera:
        found = frames(camera.url, 6)
        assert loaded(found) == ([(64, 48)] * 6, [])
        assert len(camera.requests) == 1


@pytest.mark.parametrize(
    "kind",
    [
        'multipart/x-mixed-replace;boundary="frame"',
        "multipart/x-mixed-replace; boundary=--frame",
        "multipart/x-mixed-replace",
        "multipart/mixed; boundary=other",
        "video/x-motion-jpeg",
        "application/octet-stream",
        "image/jpeg",
        "",
    ],
)
@pytest.mark.parametrize("length", [True, False])
def test_answers_of_any_content_type(kind, length):
    with HttpCamera(answer(parts(JPEGS, length=length), kind)) as camera:
        assert len(frames(camera.url, 6)) == 6
        assert len(camera.requests) == 1


def test_an_answer_with_bare_line_feeds_and_in_chunks():
    body = parts(JPEGS)
    chunks = b"".join(
        b"%x\r\n" % len(body[at : at + 500]) + body[at : at + 500] + b"\r\n" for at in range(0, len(body), 500)
    )
    with HttpCamera(
        b"HTTP/1.0 200 OK\nContent-Type: " + MULTIPART.encode() + b"\n\n" + body.replace(b"\r\n--", b"\n--"),
        answer(chunks, MULTIPART, "200 OK", "Transfer-Encoding: chunked"),
    ) as camera:
        assert loaded(frames(camera.url, 12)) == ([(64, 48)] * 12, [])


def test_a_damaged_picture_costs_no_connection_and_no_other_picture():
    jpegs = [JPEGS[0], JPEGS[1][:180] + bytes(500), JPEGS[2], b"", JPEGS[3][:-300], JPEGS[4]]
    with HttpCamera(answer(parts(jpegs), MULTIPART)) as camera:
        good, bad = loaded(frames(camera.url, 5))
        assert len(camera.requests) == 1
    assert len(good) == 3
    assert len(bad) == 2


def test_a_camera_that_sends_damaged_pictures_only_is_left_alone_for_longer_and_longer():
    stop = Stop()
    with HttpCamera(answer(parts([JPEGS[0]]), MULTIPART), answer(parts([JPEGS[1][:200]]), MULTIPART)) as camera:
        frames(camera.url, 8, stop)
    assert stop.pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60], rel=0.11)


def test_pauses_start_again_after_a_picture():
    stop = Stop()
    page, good = answer(b"<html>busy</html>", "text/html"), answer(parts(JPEGS[:1]), MULTIPART)
    with HttpCamera(good, page, page, page, good, page, good) as camera:
        frames(camera.url, 3, stop)
    assert stop.pauses == pytest.approx([1, 2, 4, 8, 1, 2], rel=0.11)


def test_a_camera_of_single_pictures_is_asked_again():
    stop = Stop()
    with HttpCamera(
        answer(JPEGS[0]), answer(JPEGS[1], "image/jpeg", "200 OK", f"Content-Length: {len(JPEGS[1])}")
    ) as camera:
        found = frames(camera.url, 4, stop)
        assert loaded(found) == ([(64, 48)] * 4, [])
        assert len(camera.requests) == 4
    assert stop.pauses == [1, 1, 1]
    assert len({frame.digest for frame in found}) == 4


def test_a_single_picture_of_another_format_or_without_its_end():
    with HttpCamera(answer(b"\x89PNG\r\n\x1a\nnot really", "image/png"), answer(JPEGS[0][:-300])) as camera:
        good, bad = loaded(frames(camera.url, 2))
    assert good == []
    assert len(bad) == 2


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (answer(b"<html>log in</html>", "text/html; charset=utf-8"), "sends no JPEG pictures, but text/html"),
        (answer(b"", MULTIPART), "sends no JPEG pictures"),
        (answer(parts([b""]), MULTIPART), "sends no JPEG pictures"),
        (answer(bytes(200_000), "video/mp4"), "of type video/mp4"),
        (answer(b"#EXTM3U\n", "application/vnd.apple.mpegurl"), "of type application/vnd.apple.mpegurl"),
        (answer(b"no", "text/html", "401 Unauthorized", 'WWW-Authenticate: Basic realm="a"'), "authorization failed"),
        (answer(b"no", "text/html", "401 Unauthorized", "WWW-Authenticate: Odd secret"), "logged in"),
        (answer(b"no", "text/html", "404 secret"), "answers 404 Not Found"),
        (answer(b"no", "text/html", "503 Busy"), "answers 503 Service Unavailable"),
        (answer(b"no", "text/html", "799 secret"), "answers 799"),
        (answer(b"", "text/html", "302 Found", "Location: gopher://secret/"), "answers 302"),
        (b"RTSP/1.0 200 OK\r\n\r\n", "does not answer in HTTP"),
        (b"", "hung up"),
        (answer(b"zz\r\nsecret", MULTIPART, "200 OK", "Transfer-Encoding: chunked"), "hung up|logged in|HTTP"),
    ],
)
def test_no_pictures_is_an_error_with_a_reason(sent, reason, caplog):
    with HttpCamera(sent) as camera, pytest.raises(ConfigurationError, match=reason) as failed:
        frames(camera.url.replace("http://", "http://user:secret@") + "?token=secret", 1)
    assert "secret" not in caplog.text + failed.value.advice
    assert failed.value.remedy


def test_signs_in_an_address_that_need_quoting():
    with HttpCamera(answer(parts(JPEGS), MULTIPART)) as camera:
        frames(camera.url + "/gew\xe4chshaus 1?name=a%20b&x=\xfc", 1)
        assert camera.requests[0].split()[1] == "/video/gew%C3%A4chshaus%201?name=a%20b&x=%C3%BC"


def test_motion_jpegs_without_huffman_tables():
    plain = JPEGS[0]
    while (at := plain.find(b"\xff\xc4")) > 0:
        plain = plain[:at] + plain[at + 2 + int.from_bytes(plain[at + 2 : at + 4]) :]
    with HttpCamera(answer(parts([plain]), MULTIPART)) as camera:
        assert loaded(frames(camera.url, 1)) == ([(64, 48)], [])


def test_a_camera_that_is_silent_is_left(caplog):
    silent = threading.Event()

    def pieces():
        yield answer(parts(JPEGS[:1]), MULTIPART)
        silent.wait(30)

    class Once:
        def __iter__(self):
            return pieces()

    settings = SETTINGS.model_copy(update={"camera_timeout_seconds": 0.3})
    with HttpCamera(Once(), answer(parts(JPEGS[:2]), MULTIPART)) as camera:
        found = frames(camera.url, 3, settings=settings)
        silent.set()
    assert len(found) == 3
    assert "silent for too long" in caplog.text


def test_basic_and_digest_passwords_are_sent_only_where_asked_for():
    with HttpCamera(
        answer(b"", "text/html", "401 Unauthorized", 'WWW-Authenticate: Basic realm="a"'),
        answer(parts(JPEGS), MULTIPART),
    ) as camera:
        frames(camera.url.replace("http://", "http://user:pa%40ss@"), 1)
        first, second = camera.requests
    assert "Authorization" not in first
    assert "Authorization: Basic dXNlcjpwYUBzcw==" in second
    challenge = 'WWW-Authenticate: Digest realm="a", nonce="n", qop="auth", algorithm=MD5'
    with HttpCamera(answer(b"", "text/html", "401 Unauthorized", challenge), answer(parts(JPEGS), MULTIPART)) as camera:
        frames(camera.url.replace("http://", "http://user:secret@") + "?channel=1", 1)
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', camera.requests[1].partition("Digest ")[2]))
    inner = [hashlib.md5(each).hexdigest() for each in (b"user:a:secret", b"GET:/video?channel=1")]
    wanted = f"{inner[0]}:n:{given['nc']}:{given['cnonce']}:auth:{inner[1]}"
    assert given["response"] == hashlib.md5(wanted.encode()).hexdigest()
    assert "secret" not in "".join(camera.requests)


def test_a_password_does_not_follow_to_another_host(caplog):
    asking = answer(b"", "text/html", "401 Unauthorized", 'WWW-Authenticate: Basic realm="a"')
    with HttpCamera(asking) as other:
        moved = answer(b"", "text/html", "302 Found", f"Location: http://localhost:{other.port}/secret-token")
        with HttpCamera(moved) as camera, pytest.raises(ConfigurationError, match="authorization failed") as failed:
            frames(camera.url.replace("http://", "http://user:secret@"), 1)
        assert len(other.requests) == 1
    assert "Authorization" not in other.requests[0]
    assert "secret" not in caplog.text + failed.value.advice


def test_a_clock_that_is_set_back_stops_nothing(monkeypatch):
    class Clock(video.datetime):
        times = iter([video.datetime(2026, 7, 1, 9, minute) for minute in (0, 0, 0, 1)])

        @classmethod
        def now(cls, tz=None):
            return next(cls.times).replace(tzinfo=tz)

    monkeypatch.setattr(video, "datetime", Clock)
    with HttpCamera(answer(parts(JPEGS), MULTIPART)) as camera:
        found = frames(camera.url, 4)
    assert len({(frame.captured_at, frame.digest) for frame in found}) == 4
    assert len({frame.captured_at for frame in found}) == 2


def test_stopping_ends_a_stream(caplog):
    caplog.set_level(logging.INFO)
    stop = Stop()
    with HttpCamera(answer(parts(JPEGS), MULTIPART)) as camera:
        found = live(Feed.of(source=camera.url, camera="roof"), SETTINGS, stop, patient=False)
        next(found)
        stop.set()
        assert list(found) == []
