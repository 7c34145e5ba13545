# ruff: noqa: DTZ001  what EXIF and file names tell has no zone
import threading
from datetime import datetime
from itertools import islice, pairwise

import av
import pytest
from mjpeg import MjpegCamera
from photographs import jpeg, picture
from rtsp import RtspCamera

from producer_api.ingestion.feed import Feed
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.timeline import Sampler
from producer_api.ingestion.video import live, video
from producer_api.ingestion.video_file import expected_frames, open_video
from schemas.errors import ConfigurationError, TruncatedImageError

SETTINGS = IngestSettings(camera_timeout_seconds=2, reconnect_seconds=1)


def make_video(path, seconds, rate=10, metadata=None, codec="mpeg4"):
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(seconds * rate):
            frame = av.VideoFrame.from_image(picture(number, (160, 120)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return str(path)


def frames_of(path, **options):
    return list(video(Feed.of(source=path, camera="roof", **options), open_video(path)))


@pytest.mark.parametrize(("fps", "expected"), [(None, 100), (1, 10), (2.5, 25), (60, 100)])
def test_the_sampler_keeps_the_rate(fps, expected):
    sampler = Sampler(fps)
    assert sum(sampler.takes(number / 10) for number in range(100)) == expected


def test_a_video_in_order_at_the_asked_rate(tmp_path):
    path = make_video(tmp_path / "a.mp4", 30)
    frames = frames_of(path, fps=2)
    assert [frame.name for frame in frames[:3]] == ["a.mp4@0.000s", "a.mp4@0.500s", "a.mp4@1.000s"]
    assert len(frames) == 60 == expected_frames(open_video(path), 2)
    assert expected_frames(open_video(path), None) == 300
    assert frames[7].load().size == (160, 120)


def test_the_capture_time_runs_from_the_start_of_the_video(tmp_path):
    named = frames_of(make_video(tmp_path / "roof_20260701_083000.mp4", 1))
    assert named[5].captured_at == datetime(2026, 7, 1, 8, 30, 0, 500000)
    told = frames_of(make_video(tmp_path / "a.mp4", 1, metadata={"creation_time": "2026-07-01T08:30:00.000000Z"}))
    assert told[5].captured_at == datetime.fromisoformat("2026-07-01T08:30:00.500+00:00")
    assert frames_of(make_video(tmp_path / "b.mp4", 1))[5].captured_at is None


def test_a_bare_stream_that_tells_no_times_gives_all_its_frames(tmp_path):
    path = make_video(tmp_path / "a.h264", 3, codec="libx264")
    assert [frame.name for frame in frames_of(path)][:3] == ["a.h264@0.000s", "a.h264@0.100s", "a.h264@0.200s"]
    assert len({frame.name for frame in frames_of(path)}) == 30
    assert len(frames_of(path, fps=1)) == 3


def test_a_title_in_another_alphabet_hides_no_video(tmp_path):
    path = tmp_path / "a.avi"
    make_video(path, 1, metadata={"title": "Gewaechshaus"})
    path.write_bytes(path.read_bytes().replace(b"Gewaechshaus", "Gewächshaus1".encode("latin-1")))
    assert len(frames_of(str(path))) == 10


def test_what_can_not_be_decoded_is_a_frame_that_can_not_be_loaded(tmp_path):
    path = make_video(tmp_path / "a.avi", 3)
    data = bytearray((tmp_path / "a.avi").read_bytes())
    start = data.index(b"\x00\x00\x01\xb6", len(data) // 2)
    data[start : start + 3000] = bytes(3000)
    (tmp_path / "a.avi").write_bytes(data)
    frames = frames_of(path)
    broken = []
    for frame in frames:
        try:
            frame.load()
        except TruncatedImageError as error:
            broken.append(str(error))
    assert all("can't be decoded here" in reason for reason in broken)
    assert 20 <= len(frames) - len(broken) <= 30


@pytest.mark.parametrize(("content", "reason"), [(b"no video", "is no video"), (None, "is no video")])
def test_no_video(tmp_path, content, reason):
    if content:
        (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(ConfigurationError, match=reason):
        open_video(str(tmp_path / "a.mp4"))


def test_an_mjpeg_camera_in_order_at_the_asked_rate():
    feed = {"camera": "roof", "fps": 5}
    with MjpegCamera([jpeg(number) for number in range(100)], fps=25) as camera:
        source = Feed.of(source=camera.url, **feed)
        frames = list(islice(live(source, SETTINGS, threading.Event(), patient=False), 8))
    times = [frame.captured_at.timestamp() for frame in frames]
    assert all(0.1 < later - earlier < 0.4 for earlier, later in pairwise(times[1:]))
    assert frames[0].load().size == (64, 48)


def test_an_rtsp_camera_in_order_at_the_asked_rate(caplog):
    with RtspCamera(frames=150, fps=25) as camera:
        feed = Feed.of(source=camera.url, camera="roof", fps=5)
        frames = list(islice(live(feed, SETTINGS, threading.Event(), patient=False), 6))
        sent = camera.sent
    times = [frame.captured_at.timestamp() for frame in frames]
    assert all(0.1 < later - earlier < 0.4 for earlier, later in pairwise(times[1:]))
    assert frames[0].load().size == (160, 120)
    assert sent >= 20, "the frames between were left out"
    assert "secret" not in caplog.text


def test_an_rtsp_camera_that_does_not_know_us(caplog):
    with RtspCamera(frames=1, fps=25) as camera:
        feed = Feed.of(source=camera.url.replace("secret", "guess"), camera="roof")
        with pytest.raises(ConfigurationError, match="authorization failed") as told:
            next(live(feed, SETTINGS, threading.Event(), patient=False))
    assert "guess" not in caplog.text + str(told.value)


def test_a_damaged_rtsp_frame_costs_no_connection():
    with RtspCamera(frames=60, fps=50, damaged=(10, 20, 30)) as camera:
        feed = Feed.of(source=camera.url, camera="roof")
        found = list(islice(live(feed, SETTINGS, threading.Event(), patient=False), 50))
        assert camera.visits == 1
    reasons = []
    for frame in found:
        try:
            frame.load()
        except TruncatedImageError as error:
            reasons.append(str(error))
    assert 1 <= len(reasons) <= 3
    assert all("frame can't be decoded" in reason for reason in reasons)


def test_an_rtsp_camera_whose_address_is_all_secrets(caplog, capfd):
    with RtspCamera(frames=1, fps=25) as camera:
        address = camera.url.replace("secret", "other%2Fsecret").replace("stream", "KEYsecret1234567890?token=secret")
        feed = Feed.of(source=address, camera="roof")
        with pytest.raises(ConfigurationError) as failed:
            next(live(feed, SETTINGS, threading.Event(), patient=False))
    assert "cret" not in caplog.text + failed.value.advice + "".join(capfd.readouterr()) + repr(feed)
    assert failed.value.__cause__ is None


def test_a_silent_rtsp_camera_is_left(caplog):
    with RtspCamera(frames=3, fps=0.3) as camera:
        feed = Feed.of(source=camera.url, camera="roof")
        settings = SETTINGS.model_copy(update={"camera_timeout_seconds": 1})
        assert len(list(islice(live(feed, settings, threading.Event(), patient=False), 2))) == 2
        assert camera.visits == 2
    assert "silent for too long" in caplog.text
    assert "secret" not in caplog.text


def test_a_camera_that_hangs_up_is_called_again(caplog):
    with MjpegCamera([jpeg(number) for number in range(5)], fps=50) as camera:
        feed = Feed.of(source=camera.url, camera="roof")
        frames = list(islice(live(feed, SETTINGS, threading.Event(), patient=False), 8))
        assert camera.visits == 2
    assert len(frames) == 8
    assert "the stream ended" in caplog.text
    assert "secret" not in caplog.text


def test_a_camera_that_is_not_there_is_an_error_or_waited_for(caplog):
    with MjpegCamera([], fps=1) as camera:
        feed = Feed.of(source=camera.url, camera="roof")
    stop = threading.Event()
    with pytest.raises(ConfigurationError, match="Connection refused") as told:
        next(live(feed, SETTINGS, stop, patient=False))
    threading.Timer(0.5, stop.set).start()
    assert list(live(feed, SETTINGS, stop, patient=True)) == []
    assert "next attempt" in caplog.text
    assert "secret" not in caplog.text + str(told.value)
