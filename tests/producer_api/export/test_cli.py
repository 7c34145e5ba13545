import io
import json
import sys
import time
from datetime import UTC, datetime

import pandas as pd
import pytest
from confluent_kafka import Producer
from PIL import Image
from sinks import failed, made, publish, told

from ops import leaf
from schemas.image import ImageEvent
from schemas.topics import IMAGES, PARTITIONER

pytestmark = pytest.mark.broker


@pytest.fixture
def producer(topics):
    return Producer({"bootstrap.servers": topics, "partitioner": PARTITIONER, "linger.ms": 5, "acks": "all"})


@pytest.fixture
def export(topics, monkeypatch, capsys, tmp_path):
    """`leaf export ...` in an empty directory; gives its exit status, stdout and stderr."""
    monkeypatch.setenv("KAFKA", topics)
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["leaf", "export", *arguments])
        with pytest.raises(SystemExit) as ended:
            leaf.main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return call


def photographs(producer, count):
    """Image events with their predictions: (offset, partition) are the real ones."""
    positions = {}
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 140, 60)).save(buffer, "JPEG")
    for number in range(count):
        image_id = f"image-{number:016d}"
        event = ImageEvent(id=image_id, jpeg=buffer.getvalue(), accepted_at=datetime.now(UTC), key=image_id)
        producer.produce(
            IMAGES.name,
            value=event.jpeg,
            key=event.key,
            headers=event.envelope().headers(),
            on_delivery=lambda _, message, number=number: positions.update(
                {number: (message.partition(), message.offset())}
            ),
        )
    producer.flush(30)
    return positions, buffer.getvalue()


def test_predictions_of_a_range_of_time(producer, export):
    publish(producer, [made(number, partition=number % 4) for number in range(200)])
    time.sleep(0.05)
    between = datetime.now(UTC)
    time.sleep(0.05)
    publish(producer, [made(number, partition=number % 4) for number in range(200, 260)] + [failed(260)])
    assert export("predictions", "--to", between.isoformat())[:2] == (0, "200 rows in leaf-predictions.csv\n")
    earlier = pd.read_csv("leaf-predictions.csv")
    assert sorted(earlier.image_id) == [f"image-{number:016d}" for number in range(200)]
    assert set(earlier.columns) > {"p_healthy", "arm", "verdict", "brightness", "done_at", "offset"}
    first = earlier[earlier.offset == 0].iloc[0]
    assert (first.label, first.confidence, first.p_late_blight, first.experiment) == (
        "late_blight",
        0.9,
        0.9,
        "default",
    )

    status, out, _ = export(
        "predictions", "--from", between.isoformat(), "--format", "parquet", "--out", "sub/later.parquet", "--json"
    )
    assert (status, json.loads(out)) == (0, {"file": "sub/later.parquet", "rows": 61, "images": 0})
    later = pd.read_parquet("sub/later.parquet")
    assert sorted(later.image_id) == [f"image-{number:016d}" for number in range(200, 261)]
    assert later.done_at.dt.tz is not None
    assert (later.done_at >= between).all()
    assert later[later.error.notna()].image_id.tolist() == [f"image-{260:016d}"]


def test_results_join_the_last_feedback_to_the_first_answer_with_the_photographs(producer, export, tmp_path):
    positions, jpeg = photographs(producer, 6)
    events = [
        made(n, partition=positions[n][0], source={"partition": positions[n][0], "offset": positions[n][1]})
        for n in range(5)
    ]
    again = events[0].model_copy(update={"answer": events[0].answer.model_copy(update={"label": "healthy"})})
    publish(producer, [failed(1), *events, again, failed(77), made(99)])
    publish(producer, [told(0, "leaf_mold"), told(0, "healthy"), told(3, "late_blight")])

    status, out, _ = export("results", "--images", "pictures", "--json")
    assert (status, json.loads(out)) == (0, {"file": "leaf-results.csv", "rows": 7, "images": 5})
    found = pd.read_csv("leaf-results.csv").set_index("image_id")
    by_number = {int(image_id[6:]): row for image_id, row in found.iterrows()}
    assert by_number.keys() == {0, 1, 2, 3, 4, 77, 99}
    assert (by_number[0].label, by_number[0].true_label) == ("late_blight", "healthy")
    assert pd.isna(by_number[1].error)
    assert by_number[77].error == "the engine raised"
    assert by_number[0].image == f"healthy/image-{0:016d}.jpg"
    assert by_number[4].image == f"late_blight/image-{4:016d}.jpg"
    assert pd.isna(by_number[99].image)
    for row in (by_number[number] for number in range(5)):
        assert (tmp_path / "pictures" / row.image).read_bytes() == jpeg

    assert export("feedback", "--format", "parquet")[0] == 0
    feedback = pd.read_parquet("leaf-feedback.parquet")
    assert feedback.true_label.tolist().count("leaf_mold") == 1
    assert len(feedback) == 3


def test_what_can_not_be_exported(export, tmp_path):
    for arguments, reason in [
        (("predictions", "--from", "noon"), "'noon' is not a time"),
        (("feedback", "--images", "x"), "feedback alone does not say where"),
    ]:
        status, out, err = export(*arguments)
        assert (status, out) == (1, "")
        assert reason in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_the_range_is_an_empty_file(export):
    assert export("results", "--from", "2026-01-01")[:2] == (0, "0 rows in leaf-results.csv\n")
    assert pd.read_csv("leaf-results.csv").empty


def test_a_file_that_can_not_be_written_is_named(export, tmp_path):
    (tmp_path / "there").mkdir()
    status, _, told = export("feedback", "--out", str(tmp_path / "there"))
    assert status == 1
    assert "there: Is a directory" in " ".join(told.split())


def test_a_photograph_answered_twice_has_its_picture_in_both_rows(producer, export):
    positions, _ = photographs(producer, 1)
    event = made(0, partition=positions[0][0], source={"partition": positions[0][0], "offset": positions[0][1]})
    publish(producer, [event, event])
    status, out, _ = export("predictions", "--images", "pictures", "--json")
    assert (status, json.loads(out)["images"]) == (0, 2)
    assert pd.read_csv("leaf-predictions.csv").image.tolist() == [f"late_blight/image-{0:016d}.jpg"] * 2
