import json
import logging
from base64 import b64encode
from datetime import UTC, datetime

import numpy as np
import pytest
from workers import FlatEngine, image_event, jpeg, photograph, write_model

from schemas.image import ImageEvent
from schemas.labels import LABELS
from schemas.prediction import UnservedArm
from stream_workers.assignment import Assignment, Variant
from stream_workers.diagnosis import Diagnosis
from stream_workers.metrics import OUTSIDE
from stream_workers.models import Registry

FLAT = Variant("flat", "flat", "1")


def route(*shadows: Variant):
    return lambda image, _: Assignment(FLAT, shadows, "default", 3)


async def diagnose(diagnosis: Diagnosis, *photographs) -> None:
    await diagnosis.assign(photographs)
    diagnosis.decode(photographs)
    await diagnosis.compute(photographs)


async def test_each_gets_its_own_answer(registry) -> None:
    shades = [0, 40, 80, 120, 160, 180]
    photographs = [photograph(n, jpeg=jpeg(shade)) for n, shade in enumerate(shades)]
    await diagnose(Diagnosis(registry, route(), attempts=3), *photographs)
    for shade, done in zip(shades, photographs, strict=True):
        prediction = done.prediction("topic-id")
        assert prediction.answer.label == LABELS[shade // 20]
        assert prediction.answer.batch == len(shades)
        assert prediction.image_id == done.image.id
        assert prediction.features.brightness == pytest.approx(shade, abs=2)
        assert (prediction.experiment, prediction.experiment_version) == ("default", 3)
        assert prediction.source.model_dump() == {
            "topic": "leaf.images",
            "topic_id": "topic-id",
            "partition": done.position.partition,
            "offset": done.position.offset,
            "timestamp_ms": 1_000_000,
        }
        assert not done.decoded


async def test_shadows_compute_along(models, registry, caplog) -> None:
    write_model(models, version="2")
    shadows = (Variant("new", "flat", "2"), Variant("missing", "nothing", "1"))
    done = photograph()
    await diagnose(Diagnosis(registry, route(*shadows), attempts=3), done)
    prediction = done.prediction("t")
    assert prediction.answer.arm == "flat"
    assert [(shadow.arm, shadow.version) for shadow in prediction.shadows] == [("new", "2")]


@pytest.mark.parametrize(
    ("value", "error"), [(b"noise", "not a JPEG"), (b"", "empty"), (None, "empty"), (jpeg()[:-100], "ends")]
)
async def test_bytes_that_are_no_picture_fail_alone(registry, value, error) -> None:
    bad, good = photograph(1), photograph(2)
    bad.value = value
    await diagnose(Diagnosis(registry, route(), attempts=3), bad, good)
    prediction = bad.prediction("t")
    assert prediction.failure.kind == "unprocessable"
    assert error in prediction.failure.error
    assert prediction.image_id == "image-0000000000000001"
    assert good.prediction("t").answer is not None


@pytest.mark.parametrize("headers", [[], [("ce_id", b"x")], [("ce_id", b"\xff")], [("traceparent", b"\xff")]])
async def test_a_record_that_is_no_event_is_named_by_its_position(registry, headers) -> None:
    bad = photograph(7)
    bad.headers = headers
    await diagnose(Diagnosis(registry, route(), attempts=3), bad)
    prediction = bad.prediction("a+b/c.long")
    assert prediction.failure.kind == "unprocessable"
    assert prediction.image_id == "position-a_b_c_long-3-7"


async def test_a_bad_id_is_no_id(registry) -> None:
    bad = photograph(7)
    bad.headers = [(name, b"../../etc" if name == "ce_id" else value) for name, value in bad.headers]
    await diagnose(Diagnosis(registry, route(), attempts=3), bad)
    assert bad.prediction("the-topic").image_id == "position-the-topic-3-7"


async def test_a_record_that_is_no_event_keeps_a_valid_id(registry) -> None:
    bad = photograph(7)
    bad.headers = [("ce_id", b"image-of-someone-77")]
    await diagnose(Diagnosis(registry, route(), attempts=3), bad)
    assert bad.prediction("t").image_id == "image-of-someone-77"


async def test_what_was_given_up_before_keeps_its_name_and_is_not_decoded(registry) -> None:
    convicted = photograph(7, camera="camera-1")
    convicted.fail("unprocessable", "killed two workers")
    await diagnose(Diagnosis(registry, route(), attempts=3), convicted)
    prediction = convicted.prediction("t")
    assert (prediction.image_id, prediction.camera) == ("image-0000000000000007", "camera-1")
    assert prediction.features is None
    assert prediction.failure.error == "killed two workers"


class Dark(FlatEngine):
    """Raises where the brightness is 160, `times` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def infer(self, images, larger=None):
        if self.times and (np.abs(images.mean(axis=(1, 2, 3)) - 160) < 3).any():
            self.times -= 1
            raise RuntimeError("no memory")
        return super().infer(images, larger)


async def test_an_engine_that_fails_on_one_picture_fails_only_that_one(models, caplog) -> None:
    registry = Registry(models, lambda *_: Dark(10**6))
    photographs = [photograph(n, jpeg=jpeg(shade)) for n, shade in enumerate((40, 160, 80))]
    with caplog.at_level(logging.CRITICAL):
        await diagnose(Diagnosis(registry, route(), attempts=3), *photographs)
    outcomes = [done.prediction("t") for done in photographs]
    assert [p.failure.kind if p.failure else p.answer.label for p in outcomes] == [LABELS[2], "failed", LABELS[4]]
    assert "no memory" in outcomes[1].failure.error


async def test_a_passing_failure_is_retried(models, caplog) -> None:
    registry = Registry(models, lambda *_: Dark(3))
    done = photograph(jpeg=jpeg(160))
    await diagnose(Diagnosis(registry, route(), attempts=3), done)
    assert done.prediction("t").answer.label == LABELS[8]


async def test_no_model_at_all_is_a_failure_that_may_be_retried(models, registry) -> None:
    write_model(models, files={"weights.npz": "0" * 64})
    done = photograph()
    await diagnose(Diagnosis(registry, lambda *_: Assignment(Variant("a", "nothing", None)), attempts=3), done)
    assert done.prediction("t").failure.kind == "failed"


async def test_an_arm_that_can_not_be_served_is_answered_outside_the_experiment(models, registry, caplog) -> None:
    """Whether another version of its model is loaded already or not: the first image of a replay finds none."""
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    shadow = Variant("shadow", "flat", "1")
    lost = Assignment(Variant("new", "flat", "2"), (shadow,), "trial", 4)
    photographs = [photograph(number) for number in range(3)]
    outside = OUTSIDE.labels("trial", "new", "flat", "2")._value
    before = outside.get()
    with caplog.at_level(logging.ERROR):
        await diagnose(Diagnosis(registry, lambda *_: lost, attempts=3), *photographs)
    for done in photographs:
        prediction = done.prediction("t")
        assert (prediction.experiment, prediction.experiment_version, prediction.shadows) == (None, None, ())
        assert (prediction.answer.arm, prediction.answer.model, prediction.answer.version) == ("flat", "flat", "1")
        expected = UnservedArm(experiment="trial", experiment_version=4, arm="new", model="flat", version="2")
        assert prediction.unserved == expected
    assert outside.get() == before + 3
    [said] = [record.message for record in caplog.records if "trial@4, arm new" in record.message]
    assert "are answered outside of the experiment by flat@1" in said
    assert said.endswith("does not match the checksum in its card. Export or copy the model again.")


async def test_a_model_without_any_version_is_answered_for_by_another_outside(registry) -> None:
    done = photograph()
    gone = Assignment(Variant("a", "nothing", "1"), (), "trial", 1)
    await diagnose(Diagnosis(registry, lambda *_: gone, attempts=3), done)
    prediction = done.prediction("t")
    assert (prediction.answer.arm, prediction.answer.model, prediction.experiment) == ("flat", "flat", None)
    assert prediction.unserved.arm == "a"


async def test_outside_of_experiments_nothing_is_counted_as_missing_from_one(models, registry) -> None:
    """A stopped experiment sends everything to its first arm."""
    done = photograph()
    await diagnose(Diagnosis(registry, lambda *_: Assignment(Variant("control", "flat", "9")), attempts=3), done)
    prediction = done.prediction("t")
    assert (prediction.answer.arm, prediction.answer.version, prediction.unserved) == ("flat", "1", None)


async def test_a_run_of_one_model_is_answered_by_no_other(models, registry) -> None:
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    done = photograph()
    fixed = Assignment(Variant("flat", "flat", "2"))
    await diagnose(Diagnosis(registry, lambda *_: fixed, attempts=3, stand_ins=False), done)
    assert done.prediction("t").failure.kind == "failed"


async def test_a_shadow_that_can_not_be_served_says_nothing(models, registry) -> None:
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    done = photograph()
    await diagnose(Diagnosis(registry, route(Variant("new", "flat", "2")), attempts=3), done)
    prediction = done.prediction("t")
    assert (prediction.answer.arm, prediction.experiment, prediction.shadows) == ("flat", "default", ())


async def test_embedded_brokers_time_is_not_believed(registry) -> None:
    seen = []

    def note(image: ImageEvent, timestamp_ms: int) -> Assignment:
        seen.append(timestamp_ms)
        return Assignment(FLAT)

    for broker_time in (True, False):
        await diagnose(Diagnosis(registry, note, attempts=3, broker_time=broker_time), photograph(timestamp_ms=7))
    assert seen == [7, int(image_event().accepted_at.timestamp() * 1000)]


@pytest.mark.parametrize("stamp", [-1, 0, 2**62, -(2**62)])
async def test_what_the_broker_did_not_stamp_gets_a_time_that_can_be_right(registry, stamp) -> None:
    now = datetime.now(UTC)
    image, noise = photograph(1, timestamp_ms=stamp, accepted_at=now), photograph(2, timestamp_ms=stamp)
    image.appended = noise.appended = False
    noise.headers = []
    await diagnose(Diagnosis(registry, route(), attempts=3), image, noise)
    assert image.prediction("t").source.timestamp_ms == int(now.timestamp() * 1000)
    assert abs(noise.prediction("the-topic").source.timestamp_ms - now.timestamp() * 1000) < 60_000
    assert noise.prediction("the-topic").failure.kind == "unprocessable"


async def test_an_image_of_another_producer_in_structured_mode_is_answered(registry) -> None:
    event = image_event(3, jpeg=jpeg(80))
    whole = {"specversion": "1.0", "id": event.id, "type": "leaf.image.accepted", "source": "/others", "camera": "roof"}
    done = photograph(3)
    done.headers = [("content-type", b"application/cloudevents+json"), ("x", None), ("x", b"\xff")]
    done.key, done.value = b"\xff\x00", json.dumps(whole | {"data_base64": b64encode(event.jpeg).decode()}).encode()
    await diagnose(Diagnosis(registry, route(), attempts=3), done)
    prediction = done.prediction("t")
    assert (prediction.image_id, prediction.camera, prediction.answer.label) == (event.id, "roof", LABELS[4])


async def test_a_structured_event_that_is_none_is_a_dead_letter_with_that_reason(registry) -> None:
    done = photograph(3)
    done.headers = [("content-type", b"application/cloudevents-batch+json")]
    await diagnose(Diagnosis(registry, route(), attempts=3), done)
    assert (
        "structured mode: application/cloudevents-batch+json is not read here"
        in done.prediction("the-topic").failure.error
    )
