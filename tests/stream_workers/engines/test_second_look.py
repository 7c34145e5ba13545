import numpy as np
import pytest

from schemas.card import Calibration
from stream_workers.engines import Outputs
from stream_workers.engines.second_look import CLOSER, SecondLook, evidence_boxes, mirrored_views, put_back

PX = 40
CALIBRATION = Calibration(
    temperature=2, confidence_threshold=0.5, second_look=0.9, gate_temperature=1, gate_threshold=0.5
)
SURE, DOUBTFUL, NO_LEAF = 200, 100, 20


class Clear:
    """Sure of bright pictures; of darker ones it says where their bright half is, and of black ones: no leaf."""

    name, ceiling, sizes = "openvino", 8, (1, 8)

    def __init__(self):
        self.seen = []

    def infer(self, images, larger=None):
        self.seen.append(images)
        brightness = images.mean(axis=(1, 2, 3))
        evidence = np.zeros((len(images), 2, 2, 10), np.float32)
        evidence[..., 0] = np.where(brightness > 150, 40, 4)[:, None, None]
        halves = images.reshape(len(images), PX, 2, PX // 2, 3).mean(axis=(1, 3, 4))
        evidence[:, :, :, 3] = halves[:, None, :] / 255
        gate = np.where(brightness < 50, -4, 4)
        return Outputs(evidence.mean(axis=(1, 2)), gate.astype(np.float32), evidence)


@pytest.fixture
def engine():
    return Clear()


def picture(brightness):
    """Its left half is brighter than its right one."""
    image = np.full((PX, PX, 3), brightness, np.uint8)
    image[:, : PX // 2] += 40
    return image


def closer(images):
    return mirrored_views(images, evidence_boxes(Clear().infer(images)), PX)


def test_only_doubtful_leaves_are_computed_again(engine):
    looking = SecondLook(engine, CALIBRATION)
    looking.infer(np.stack([picture(shade) for shade in (SURE, DOUBTFUL, NO_LEAF, SURE, DOUBTFUL + 20)]))
    first, second = engine.seen
    assert len(first) == 5
    np.testing.assert_array_equal(second, closer(first[[1, 4]]))


def test_where_nothing_is_doubtful_there_is_one_look(engine):
    SecondLook(engine, CALIBRATION).infer(np.stack([picture(SURE), picture(NO_LEAF)]))
    assert len(engine.seen) == 1


def test_the_second_look_is_cut_from_the_larger_square(engine):
    image = picture(DOUBTFUL)
    larger = np.kron(image, np.ones((3, 3, 1), np.uint8))
    larger[::2] += 30
    SecondLook(engine, CALIBRATION).infer(image[None], [larger])
    np.testing.assert_array_equal(
        engine.seen[1], mirrored_views([larger], evidence_boxes(Clear().infer(image[None])), PX)
    )


def test_the_answer_is_the_mean_and_the_evidence_stays_its_reason(engine):
    images = np.stack([picture(SURE), picture(DOUBTFUL)])
    alone, again = Clear().infer(images), Clear().infer(closer(images[1:]))
    found = SecondLook(engine, CALIBRATION).infer(images)
    np.testing.assert_array_equal(found.logits[0], alone.logits[0])
    np.testing.assert_allclose(found.logits[1], (alone.logits[1] + again.logits[0]) / 2, rtol=1e-5)
    np.testing.assert_allclose(found.evidence.mean(axis=(1, 2)), found.logits, rtol=1e-5)
    np.testing.assert_array_equal(found.gate, alone.gate)
    left, right = found.evidence[1, 0, :, 3]
    assert left > right, "the second look is mirrored back"


def test_the_part_shown_is_where_the_evidence_is_and_within_the_image():
    evidence = np.zeros((3, 4, 4, 11), np.float32)
    evidence[0, 0, 0, 5] = evidence[1, 1, 2, 5] = 1
    evidence[2, :, :, 5] = 1
    boxes = evidence_boxes(Outputs(evidence.mean(axis=(1, 2)), np.zeros(3, np.float32), evidence))
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], CLOSER)
    np.testing.assert_allclose(boxes[0, :2], 0, atol=1e-6)
    np.testing.assert_allclose(boxes[1, :2], [0.625 - CLOSER / 2, 0.375 - CLOSER / 2], atol=1e-6)
    np.testing.assert_allclose(boxes[2, :2], 0.5 - CLOSER / 2, atol=1e-6)


def test_a_view_is_a_part_of_the_image_mirrored():
    image = np.zeros((PX, PX, 3), np.uint8)
    image[:, : PX // 2] = 200
    (view,) = mirrored_views([image], np.array([[0.25, 0, 0.75, 0.5]]), PX)
    assert (view[:, PX // 2 + 1 :] == 200).all()
    assert (view[:, : PX // 2 - 1] == 0).all()


def test_evidence_of_a_part_is_put_where_the_part_was_and_keeps_its_mean():
    random = np.random.default_rng(0)
    evidence = random.normal(size=(2, 5, 5, 3)).astype(np.float32)
    boxes = np.array([[0, 0, 0.6, 0.6], [0.13, 0.22, 0.88, 0.97]])
    whole = put_back(evidence, boxes)
    np.testing.assert_allclose(whole.mean(axis=(1, 2)), evidence.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)
    assert not whole[0, 3:].any()
    assert not whole[0, :, 3:].any()
    np.testing.assert_allclose(put_back(evidence, np.array([[0, 0, 1, 1]] * 2)), evidence, rtol=1e-5, atol=1e-6)
