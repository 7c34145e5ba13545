import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from confluent_kafka import Producer
from limits import lower_limit, restore_limit
from mjpeg import MjpegCamera
from photographs import fill, jpeg
from PIL import Image
from recordings import record, scene

from ops.embedded import Embedded
from ops.settings import TopicSettings
from ops.topics import create_topics
from producer_api.ingestion.feed import Feed
from producer_api.ingestion.ingestion import Ingestion
from producer_api.ingestion.log import Log
from producer_api.ingestion.pace import Pace
from producer_api.ingestion.settings import IngestSettings
from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.image import ImageEvent
from schemas.topics import IMAGES, PREDICTIONS
from tests.producer_api.conftest import encoded

ROOT = Path(__file__).parents[3]
CAMERAS = (f"camera-{os.getpid()}-{number}" for number in itertools.count())


@pytest.fixture
def camera():
    return next(CAMERAS)


@pytest.fixture
def settings(topics, tmp_path, monkeypatch):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "var"))
    return IngestSettings(kafka=topics, checkpoint_seconds=0.2, watch_seconds=0.05)


def ingest(settings, *feeds, paced=False, tick=lambda: None):
    ingestion = Ingestion(settings, feeds, paced=paced, patient=False)
    ingestion.run(tick)
    return ingestion.summary.as_json()


def events(settings, camera):
    """The images topic's events of this camera, per partition in order of offset."""
    log = Log(settings, IMAGES)
    found = {}
    for message in log.read(log.starts(), log.ends()):
        if dict(message.headers()).get("ce_camera") == camera.encode():
            event = ImageEvent.read(message.key(), message.value(), message.headers())
            found.setdefault(message.partition(), []).append(event)
    return found


def counts(summary):
    return tuple(summary[name] for name in ("seen", "sent", "already_there", "skipped_similar"))


@pytest.mark.broker
def test_a_folder_once_and_again(settings, camera, tmp_path):
    feed = Feed.of(source=str(fill(tmp_path / "in", 50)), camera=camera)
    assert counts(ingest(settings, feed)) == (50, 50, 0, 0)
    assert counts(ingest(settings, feed)) == (50, 0, 50, 0)
    ((_, found),) = events(settings, camera).items()
    assert [event.frame for event in found] == [f"{number:05d}.jpg" for number in range(50)]
    assert {(event.key, event.source) for event in found} == {(camera, f"/cameras/{camera}")}
    assert found[7].jpeg == jpeg(7)


@pytest.mark.broker
def test_a_moved_folder_and_its_zip_add_nothing(settings, camera, tmp_path):
    fill(tmp_path / "in", 5)
    ingest(settings, Feed.of(source=str(tmp_path / "in"), camera=camera))
    (tmp_path / "in").rename(tmp_path / "moved")
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        for path in (tmp_path / "moved").iterdir():
            archive.write(path, path.name)
    assert counts(ingest(settings, Feed.of(source=str(tmp_path / "moved"), camera=camera))) == (5, 0, 5, 0)
    assert counts(ingest(settings, Feed.of(source=str(tmp_path / "in.zip"), camera=camera))) == (5, 0, 5, 0)


@pytest.mark.broker
def test_broken_files_are_reported_and_stop_nothing(settings, camera, tmp_path):
    folder = fill(tmp_path / "in", 4)
    (folder / "00001.jpg").write_bytes(jpeg(1)[:-300])
    (folder / "00002.jpg").write_bytes(b"no picture")
    (folder / "empty.jpg").write_bytes(b"")
    summary = ingest(settings, Feed.of(source=str(folder), camera=camera))
    assert counts(summary) == (5, 2, 0, 0)
    reasons = {each["name"]: each["reason"] for each in summary["bad_files"]}
    assert reasons.keys() == {"00001.jpg", "00002.jpg", "empty.jpg"}
    assert "incomplete" in reasons["00001.jpg"]
    assert "no image" in reasons["00002.jpg"]
    assert "empty" in reasons["empty.jpg"]


def fill_with_a_large_one(folder):
    fill(folder, 30)
    (folder / "00010-large.jpg").write_bytes(encoded(Image.effect_noise((512, 512), 80).convert("RGB")))
    return folder


@pytest.mark.broker
def test_a_picture_larger_than_the_topic_takes_is_named_and_sent_once_it_takes_it(settings, camera, tmp_path):
    feed = Feed.of(source=str(fill_with_a_large_one(tmp_path / "in")), camera=camera)
    lower_limit(settings.kafka)
    summary = ingest(settings.model_copy(update={"max_unanswered": 1}), feed, paced=False)
    assert counts(summary) == (31, 30, 0, 0)
    [large] = summary["bad_files"]
    assert large["name"] == "00010-large.jpg"
    assert "20000 (max.message.bytes)" in large["reason"]
    restore_limit(settings.kafka)
    assert counts(ingest(settings, feed)) == (31, 1, 30, 0)


@pytest.mark.broker
def test_a_limit_that_is_lowered_meanwhile_costs_only_what_is_too_large(settings, camera, tmp_path, monkeypatch):
    feed = Feed.of(source=str(fill_with_a_large_one(tmp_path / "in")), camera=camera)
    lower_limit(settings.kafka)
    now, answers = Log.takes, [1_000_000]  # what the publisher hears at its start is of before
    monkeypatch.setattr(Log, "takes", lambda log: answers.pop() if answers else now(log))
    summary = ingest(settings.model_copy(update={"checkpoint_seconds": 60}), feed)
    assert counts(summary) == (31, 30, 0, 0)
    assert [each["name"] for each in summary["bad_files"]] == ["00010-large.jpg"]
    assert sum(map(len, events(settings, camera).values())) == 30


@pytest.mark.broker
def test_cameras_by_folder_keep_their_order_and_unordered_spreads(settings, camera, tmp_path):
    for each in "abc":
        fill(tmp_path / "in" / f"{camera}-{each}", 20)
    ingest(settings, Feed.of(source=str(tmp_path / "in"), camera_from_folder=True))
    for each in "abc":
        ((_, found),) = events(settings, f"{camera}-{each}").items()
        assert [event.frame.split("/")[1] for event in found] == [f"{number:05d}.jpg" for number in range(20)]
    ingest(settings, Feed.of(source=str(fill(tmp_path / "bulk", 60, start=100)), camera=camera, unordered=True))
    spread = events(settings, camera)
    assert len(spread) > 6
    assert all(event.key == event.id for found in spread.values() for event in found)


@pytest.mark.broker
def test_tiles_limit_and_similar(settings, camera, tmp_path):
    folder = fill(tmp_path / "in", 3, size=(200, 100))
    (folder / "00000-again.jpg").write_bytes(jpeg(0, size=(400, 200)))
    feed = Feed.of(source=str(folder), camera=camera, tiles="2x1", skip_similar=4, limit=3)
    assert counts(ingest(settings, feed)) == (3, 4, 0, 1)
    ((_, found),) = events(settings, camera).items()
    assert [event.frame for event in found][:2] == ["00000-again.jpg#tile=0,0/2x1", "00000-again.jpg#tile=1,0/2x1"]


@pytest.mark.broker
def test_a_watched_folder(settings, camera, tmp_path):
    folder = fill(tmp_path / "in", 3)
    (folder / "half.jpg").write_bytes(jpeg(9)[:-300])
    ingestion = Ingestion(
        settings, [Feed.of(source=str(folder), camera=camera, watch=True)], paced=False, patient=False
    )
    thread = threading.Thread(target=ingestion.run, args=(lambda: None,))
    thread.start()
    until(lambda: ingestion.summary.bad_files and ingestion.summary["sent"] == 3)
    (folder / "half.jpg").write_bytes(jpeg(9))
    fill(folder, 2, start=20)
    until(lambda: ingestion.summary["sent"] == 6)
    ingestion.stop.set()
    thread.join(10)
    assert ingestion.summary.bad_files == []
    assert sum(map(len, events(settings, camera).values())) == 6


@pytest.mark.broker
def test_two_cameras_at_once(settings, camera):
    frames = [jpeg(number) for number in range(60)]
    with MjpegCamera(frames, fps=30) as one, MjpegCamera(frames, fps=30) as two:
        feeds = [
            Feed.of(source=each.url, camera=f"{camera}-{name}", fps=10, limit=8)
            for name, each in (("one", one), ("two", two))
        ]
        summary = ingest(settings, *feeds)
    assert counts(summary) == (16, 16, 0, 0)
    for name in ("one", "two"):
        ((_, found),) = events(settings, f"{camera}-{name}").items()
        times = [event.captured_at for event in found]
        assert times == sorted(set(times))
        assert len(times) == 8


@pytest.mark.broker
@pytest.mark.slow
def test_killed_twice_and_run_again_each_picture_is_there_once(settings, camera, tmp_path):
    total = 3000
    folder = fill(tmp_path / "in", total)
    command = [sys.executable, "-m", "ops.leaf", "ingest", str(folder), "--camera", camera, "--no-pace", "--json"]
    environment = os.environ | {"KAFKA": settings.kafka, "LEAF_INGEST_CHECKPOINT_SECONDS": "0.3"}
    log = Log(settings, IMAGES)
    for share in (0.2, 0.5):
        process = subprocess.Popen(command, env=environment, cwd=ROOT)
        before = sum(map(len, events(settings, camera).values()))
        start = sum(log.ends().values())
        until(lambda start=start, before=before, share=share: sum(log.ends().values()) - start + before > share * total)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    survived = sum(map(len, events(settings, camera).values()))
    assert total / 2 < survived < total
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=50)
    assert counts(json.loads(done.stdout)) == (total, total - survived, survived, 0)
    ((_, found),) = events(settings, camera).items()
    assert [event.frame for event in found] == [f"{number:05d}.jpg" for number in range(total)]


@pytest.mark.broker
def test_ctrl_c_confirms_and_tells(settings, camera, tmp_path):
    folder = fill(tmp_path / "in", 30)
    command = [sys.executable, "-m", "ops.leaf", "ingest", str(folder), "--camera", camera, "--watch", "--no-pace"]
    environment = os.environ | {"KAFKA": settings.kafka}
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    until(lambda: sum(map(len, events(settings, camera).values())) == 30)
    process.send_signal(signal.SIGINT)
    told, _ = process.communicate(timeout=15)
    assert process.returncode == 130
    assert "30 pictures seen" in told
    assert "30 events sent" in told


@pytest.mark.broker
def test_paced_by_the_workers_answers(settings, camera, tmp_path):
    """Stand-in workers answer 200 a second: the ingest keeps as many waiting as the target delay allows."""
    log = Log(settings, IMAGES)
    reader = log.consumer(log.ends())
    producer = Producer({"bootstrap.servers": settings.kafka, "linger.ms": 1})
    stop = threading.Event()

    def answer():
        while not stop.is_set():
            for message in reader.consume(1, 0.05):
                if not message.error():
                    time.sleep(1 / 200)
                    image_id = dict(message.headers())["ce_id"]
                    producer.produce(PREDICTIONS.name, b"{}", headers={"ce_imageid": image_id}, partition=0)
                    producer.poll(0)

    workers = threading.Thread(target=answer)
    workers.start()
    ingestion = Ingestion(
        settings.model_copy(update={"target_delay_ms": 50}),
        [Feed.of(source=str(fill(tmp_path / "in", 600)), camera=camera)],
        paced=True,
        patient=False,
    )
    waiting = []
    ingestion.run(lambda: waiting.append(ingestion.pace.unanswered))
    stop.set()
    workers.join()
    reader.close()
    producer.flush(5)
    assert ingestion.summary["sent"] == 600
    assert len(waiting) > 5
    assert max(waiting) < 100


@pytest.mark.broker
def test_an_answer_is_noticed_at_once(settings):
    """Where it waited for more of them, an ingest would send in bursts, and uploads would queue behind each."""
    producer = Producer({"bootstrap.servers": settings.kafka, "linger.ms": 0})
    seconds = []
    with Pace(Log(settings, PREDICTIONS), settings) as pace:
        for number in range(10):
            pace.sent(f"{number}")
            start = time.monotonic()
            producer.produce(PREDICTIONS.name, b"{}", headers={"ce_imageid": f"{number}"}, partition=0)
            producer.flush(5)
            until(lambda: not pace.unanswered)
            seconds.append(time.monotonic() - start)
    assert min(seconds[1:]) < 0.1


@pytest.mark.broker
def test_one_ingest_per_source(settings, camera, tmp_path):
    feed = Feed.of(source=str(fill(tmp_path / "in", 1)), camera=camera)
    with pytest.raises(ConfigurationError, match="ingested already"):
        ingest(settings, feed, feed)


@pytest.mark.broker
def test_a_source_that_is_not_there_is_said_so_and_nothing_else(settings, camera, tmp_path):
    command = [sys.executable, "-m", "ops.leaf", "ingest", str(tmp_path / "nothing"), "--camera", camera]
    environment = os.environ | {"KAFKA": settings.kafka}
    failed = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "does not exist" in failed.stderr


def test_no_broker_is_said_so(camera, tmp_path, monkeypatch):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "var"))
    monkeypatch.setattr("producer_api.ingestion.log.TIMEOUT_S", 0.5)
    with pytest.raises(BrokerUnavailableError, match="does not answer"):
        ingest(IngestSettings(kafka="127.0.0.1:9"), Feed.of(source=str(tmp_path), camera=camera))


def test_into_the_embedded_broker_and_again_after_its_restart(camera, tmp_path, monkeypatch):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "var"))
    feed = Feed.of(source=str(fill(tmp_path / "in", 10)), camera=camera)
    for _ in range(2):
        with Embedded(tmp_path / "addresses", log=tmp_path / "log") as embedded:
            settings = IngestSettings(kafka=embedded.addresses[0], mode="embedded")
            create_topics(TopicSettings(kafka=settings.kafka, mode="embedded"), experiment=False)
            assert counts(ingest(settings, feed)) == (10, 10, 0, 0)
            assert counts(ingest(settings, feed)) == (10, 0, 10, 0)


def until(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.broker
def test_the_exit_status_says_whether_a_recording_was_whole(settings, camera, tmp_path):
    data = record(tmp_path / "a.mkv", [scene(number) for number in range(40)]).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) // 2])
    environment = os.environ | {"KAFKA": settings.kafka}
    done = {}
    for name in ("a.mkv", "cut.mkv"):
        command = [sys.executable, "-m", "ops.leaf", "ingest", str(tmp_path / name), "--camera", camera, "--no-pace"]
        done[name] = subprocess.run(
            [*command, "--json"], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
    assert (done["a.mkv"].returncode, json.loads(done["a.mkv"].stdout)["sent"]) == (0, 40)
    assert done["cut.mkv"].returncode == 3
    assert "cut short" in done["cut.mkv"].stdout
