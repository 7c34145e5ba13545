import numpy as np
import pytest

from schemas.card import Calibration
from stream_workers.engines import Outputs
from stream_workers.engines.second_look import SecondLook, mirrored_middles

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

    def infer(self, images):
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


def test_only_doubtful_leaves_are_computed_again(engine):
    looking = SecondLook(engine, CALIBRATION)
    looking.infer(np.stack([picture(shade) for shade in (SURE, DOUBTFUL, NO_LEAF, SURE, DOUBTFUL + 20)]))
    first, second = engine.seen
    assert len(first) == 5
    np.testing.assert_array_equal(second, mirrored_middles(first[[1, 4]]))


def test_where_nothing_is_doubtful_there_is_one_look(engine):
    SecondLook(engine, CALIBRATION).infer(np.stack([picture(SURE), picture(NO_LEAF)]))
    assert len(engine.seen) == 1


def test_the_answer_is_the_mean_and_the_evidence_stays_its_reason(engine):
    images = np.stack([picture(SURE), picture(DOUBTFUL)])
    alone, again = Clear().infer(images), Clear().infer(mirrored_middles(images[1:]))
    found = SecondLook(engine, CALIBRATION).infer(images)
    np.testing.assert_array_equal(found.logits[0], alone.logits[0])
    np.testing.assert_allclose(found.logits[1], (alone.logits[1] + again.logits[0]) / 2, rtol=1e-5)
    np.testing.assert_allclose(found.evidence.mean(axis=(1, 2)), found.logits, rtol=1e-5)
    np.testing.assert_array_equal(found.gate, alone.gate)
    left, right = found.evidence[1, 0, :, 3]
    assert left - right == pytest.approx(40 / 255, rel=0.02), "the second look is mirrored back"


def test_the_middle_fills_the_picture_and_is_mirrored():
    image = np.zeros((1, PX, PX, 3), np.uint8)
    image[:, 2:-2, 2 : PX // 2] = 200
    (middle,) = mirrored_middles(image)
    assert middle.shape == (PX, PX, 3)
    assert (middle[:, PX // 2 + 1 :] == 200).all()
    assert (middle[:, : PX // 2 - 1] == 0).all()
