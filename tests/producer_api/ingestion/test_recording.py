# ruff: noqa: DTZ001  what file names state has no zone
"""Every second of a recording is ingested once, or what is missing is named."""

import random
import shutil
from datetime import datetime, timedelta
from itertools import pairwise

import av
import numpy as np
import pytest
from photographs import picture
from recordings import Ingested, record, remux, scene

from schemas.errors import ConfigurationError

HOURS = 7200 * 90_000
FOUR_SECONDS = [scene(number) for number in range(40)]


def spaced(seconds, step=0.1):
    return all(abs(later - earlier - step) < 0.002 for earlier, later in pairwise(seconds))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """`made("ts")`: four seconds in this format."""
    folder = tmp_path_factory.mktemp("recordings")

    def make(suffix, **options):
        path = folder / f"{'-'.join(map(str, options.values()))}.{suffix}"
        return path if path.exists() else record(path, FOUR_SECONDS, **({"g": "20"} | options))

    return make


def joined(target, *paths):
    target.write_bytes(b"".join(path.read_bytes() for path in paths))
    return target


@pytest.mark.parametrize("name", ["2026-07-01T08:30:00.mp4", "concat:a.mp4", "http:x.mp4", "a%03d.mp4", "a b?#.mp4"])
def test_a_name_is_a_name(made, tmp_path, monkeypatch, name):
    shutil.copy(made("mp4"), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(Ingested(name).good) == 40


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4", "flv", "avi"])
def test_recordings_put_together_are_ingested_whole(made, tmp_path, suffix):
    path = made(suffix) if suffix != "avi" else made("avi", codec="mpeg4")
    both = Ingested(joined(tmp_path / f"both.{suffix}", path, path))
    assert both.bad == {}
    assert len(both.good) == len({frame.name for frame in both.good}) == 80
    assert spaced(both.seconds)
    assert len(Ingested(tmp_path / f"both.{suffix}", fps=2).good) == 16


def test_pictures_that_go_on_as_another_stream(made, tmp_path):
    other = remux(made("ts"), tmp_path / "other.ts", container={"mpegts_start_pid": "0x300"})
    both = Ingested(joined(tmp_path / "both.ts", made("ts"), other))
    assert both.bad == {}
    assert spaced(both.seconds)
    assert len(both.good) == 80


@pytest.mark.parametrize("later", [3600 * 20, 95443 - 2, 5])
def test_time_stamps_that_jump_or_whose_counter_is_full(made, tmp_path, later):
    far = remux(made("ts"), tmp_path / "far.ts", later=later)
    both = Ingested(joined(tmp_path / "both.ts", made("ts"), far))
    assert both.bad == {}
    assert len(both.good) == len({frame.name for frame in both.good}) == 80
    assert both.seconds[-1] < 10
    assert Ingested(far).seconds[0] == 0


def test_one_wrong_time_stamp_moves_nothing_after_it(made, tmp_path):
    with av.open(str(made("ts", bf="0"))) as source, av.open(str(tmp_path / "a.ts"), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(each for each in source.demux(video=0) if each.dts is not None):
            packet.stream = copy
            packet.pts, packet.dts = (
                packet.pts + 7200 * 90000 * (number == 20),
                packet.dts + 7200 * 90000 * (number >= 20),
            )
            packet.pts = max(packet.pts, packet.dts)
            target.mux(packet)
    seen = Ingested(tmp_path / "a.ts")
    assert len(seen.good) == 40
    assert spaced(seen.seconds)


def test_the_capture_time_runs_from_the_first_picture(made, tmp_path):
    path = remux(made("ts"), tmp_path / "roof_20260701_083000.ts", later=50_000)
    times = [frame.captured_at for frame in Ingested(path).good]
    assert times[0] == datetime(2026, 7, 1, 8, 30)
    assert times[-1] - times[0] == pytest.approx(timedelta(seconds=3.9), abs=timedelta(milliseconds=2))


def test_uneven_times_are_kept(tmp_path):
    times = [0, 100, 200, 5000, 5100, 60_000, 60_100]
    seen = Ingested(record(tmp_path / "a.mkv", FOUR_SECONDS[:7], times=times))
    assert seen.bad == {}
    assert [round(1000 * second) for second in seen.seconds] == times


@pytest.mark.parametrize("suffix", ["ts", "mkv", "mp4"])
def test_one_picture_a_minute(tmp_path, suffix):
    path = record(tmp_path / f"a.{suffix}", FOUR_SECONDS[:6], times=[60_000 * number for number in range(6)])
    assert len(Ingested(path, fps=1 / 60).good) == 6


@pytest.mark.parametrize("suffix", ["mkv", "flv", "avi", "mp4"])
def test_a_recording_cut_short_says_so(made, tmp_path, suffix):
    options = {"codec": "mpeg4"} if suffix == "avi" else {"container": {"movflags": "faststart"}}
    data = record(tmp_path / f"a.{suffix}", FOUR_SECONDS, **options).read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) * 6 // 10])
    seen = Ingested(tmp_path / f"cut.{suffix}")
    assert 0 < len(seen.good) < 35
    assert any("cut short" in reason for reason in seen.bad.values())
    assert Ingested(tmp_path / f"a.{suffix}").bad == {}


def test_a_recording_without_its_index_says_why(made, tmp_path):
    data = made("mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: data.index(b"moov") - 4])
    with pytest.raises(ConfigurationError, match="cut off before the camera had finished"):
        Ingested(tmp_path / "a.mp4")


def test_a_part_after_the_first_that_can_not_be_read_is_named(made, tmp_path):
    data = made("mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data + data[: data.index(b"moov") - 4])
    seen = Ingested(tmp_path / "a.mp4")
    assert len(seen.good) == 40
    assert [name for name, reason in seen.bad.items() if "another recording" in reason] == ["a.mp4@4.000s"]


def test_damage_costs_the_damaged_frames_and_is_named(tmp_path):
    path = record(tmp_path / "whole.ts", [picture(number, (160, 120)) for number in range(40)], g="20", bf="0")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle + 4 : middle + 188] = random.Random(1).randbytes(184)
    (tmp_path / "a.ts").write_bytes(data)
    seen = Ingested(tmp_path / "a.ts")
    assert len(seen.good) >= 38
    assert seen.bad
    assert all("can't be decoded here" in reason for reason in seen.bad.values())


def test_a_hole_is_named_with_its_length(made, tmp_path):
    data = made("ts", bf="0").read_bytes()
    third = len(data) // 188 // 3 * 188
    (tmp_path / "a.ts").write_bytes(data[:third] + data[2 * third :])
    seen = Ingested(tmp_path / "a.ts")
    assert sum("can't be decoded here" in reason for reason in seen.bad.values()) >= 1
    lost = sum(float(reason.split(" s of")[0]) for reason in seen.bad.values() if " s of" in reason)
    assert lost == pytest.approx(4 - len(seen.good) / 10, abs=0.25)


def test_a_recording_that_starts_in_the_middle_says_so(made, tmp_path):
    """Without its first key frame, what comes until the next one can't be decoded."""
    remux(made("mkv", g="40"), tmp_path / "a.mkv")  # Matroska's first packet has no time to decode it, and is left out
    seen = Ingested(tmp_path / "a.mkv")
    assert len(seen.good) < 39
    assert any("what it builds on is missing" in reason or "decoded" in reason for reason in seen.bad.values())


def test_sampled_only_what_was_wanted_and_is_lost_is_named(made, tmp_path):
    data = bytearray(made("mp4").read_bytes())
    start = data.index(b"mdat") + (data.index(b"moov") - data.index(b"mdat")) // 2
    data[start : start + 400] = bytes(400)
    (tmp_path / "a.mp4").write_bytes(data)
    every, some, few = (Ingested(tmp_path / "a.mp4", fps=fps) for fps in (None, 1, 0.25))
    assert every.bad
    assert len(some.good) + len(some.bad) == 4
    assert (len(few.good), few.bad) == (1, {})


def test_covers_are_no_video_and_further_videos_are_named(made, tmp_path):
    remux(made("mp4"), tmp_path / "two.mp4", streams=2)
    seen = Ingested(tmp_path / "two.mp4")
    assert len(seen.good) == 40
    assert [name.partition("#")[0] for name in seen.bad] == ["two.mp4"]
    assert "further video of 160 x 120" in next(iter(seen.bad.values()))


@pytest.mark.parametrize("cover", [False, True])
def test_sound_alone_is_no_video(tmp_path, cover):
    with av.open(str(tmp_path / "a.flac"), "w") as file:
        stream = file.add_stream("flac", rate=16000)
        picture = file.add_stream("mjpeg", rate=1) if cover else None
        if picture:
            picture.width, picture.height, picture.pix_fmt = 160, 120, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            file.mux(picture.encode(av.VideoFrame.from_image(scene()).reformat(format="yuvj420p")))
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), "i2"), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16000, 1024 * number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    with pytest.raises(ConfigurationError, match="has only a cover picture" if cover else "has no picture"):
        Ingested(tmp_path / "a.flac")


def test_a_stream_that_nobody_can_decode_costs_nothing(made, tmp_path):
    """Its end is not taken for the end of the pictures."""
    data = remux(made("mp4", bf="0"), tmp_path / "two.mkv", streams=2).read_bytes()
    first, name, second = data.rpartition(b"V_MPEG4/ISO/AVC")
    (tmp_path / "a.mkv").write_bytes(first + name.replace(b"AVC", b"XYZ") + second)
    seen = Ingested(tmp_path / "a.mkv")
    assert len(seen.good) == 40
    assert list(seen.bad) == ["a.mkv#stream=1"]


def test_a_video_without_pictures_says_so(made, tmp_path):
    data = bytearray(made("mp4").read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    (tmp_path / "a.mp4").write_bytes(data)
    seen = Ingested(tmp_path / "a.mp4")
    assert seen.good == []
    assert "no picture that can be shown" in seen.bad["a.mp4"]


def test_text_is_no_video(tmp_path):
    (tmp_path / "notes.txt").write_text("not a picture\n" * 100)
    with pytest.raises(ConfigurationError, match="no video"):
        Ingested(tmp_path / "notes.txt")


def test_pictures_may_change_their_size(made, tmp_path):
    small = record(tmp_path / "small.ts", [scene(number, (80, 60)) for number in range(40)], g="20")
    both = Ingested(joined(tmp_path / "both.ts", made("ts"), small))
    assert both.bad == {}
    assert [image.size for image in both.images] == [(160, 120)] * 40 + [(80, 60)] * 40


def test_what_an_edit_list_hides_is_not_shown(made, tmp_path):
    """Telephones trim a video by a list of what is to be shown."""
    data = bytearray(made("mp4", bf="0").read_bytes())
    at = data.index(b"elst") + 4 + 8
    duration, start = int.from_bytes(data[at : at + 4]), int.from_bytes(data[at + 4 : at + 8])
    data[at : at + 4] = (duration // 2).to_bytes(4)
    with av.open(str(made("mp4", bf="0"))) as file:
        base = file.streams.video[0].time_base
    data[at + 4 : at + 8] = (start + round(1 / base)).to_bytes(4)
    (tmp_path / "a.mp4").write_bytes(data)
    seen = Ingested(tmp_path / "a.mp4")
    assert seen.bad == {}
    assert len(seen.good) == 20
    assert seen.seconds[0] == 0


def test_a_file_that_can_no_longer_be_read_is_named(made, tmp_path, monkeypatch):
    class Failing:
        def __init__(self, container):
            self._container = container

        def __getattr__(self, name):
            return getattr(self._container, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self._container.close()

        def demux(self, *streams):
            for number, packet in enumerate(self._container.demux(*streams)):
                if number == 20:
                    raise av.error.OSError(5, "Input/output error", "secret/path")
                yield packet

    real = av.open
    monkeypatch.setattr(av, "open", lambda *args, **options: Failing(real(*args, **options)))
    seen = Ingested(made("mp4"))
    assert len(seen.good) >= 16
    assert [reason for reason in seen.bad.values() if "Input/output error" in reason]
