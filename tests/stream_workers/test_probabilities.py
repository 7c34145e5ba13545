import numpy as np

from schemas.card import Calibration
from stream_workers.probabilities import of_leaf, of_problems

CALIBRATION = Calibration(temperature=2, confidence_threshold=0.4, gate_temperature=4, gate_threshold=0.5)


def test_temperatures_divide_the_logits():
    np.testing.assert_allclose(
        of_problems(np.log(np.array([[1, 9, 36]], np.float32)), CALIBRATION).labels, [[0.1, 0.3, 0.6]]
    )
    np.testing.assert_allclose(of_leaf(4 * np.log(np.array([3], np.float32)), CALIBRATION), [0.75], rtol=1e-6)


def test_no_overflow():
    huge = np.array([1000.0, -1000.0], np.float32)
    np.testing.assert_allclose(of_problems(huge[None], CALIBRATION).labels, [[1, 0]])
    np.testing.assert_allclose(of_leaf(huge, CALIBRATION), [1, 0])
