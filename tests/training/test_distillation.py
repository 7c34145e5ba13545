import numpy as np
import pytest

keras = pytest.importorskip("keras")

from scipy.special import log_softmax, softmax  # noqa: E402

from schemas.errors import ModelError  # noqa: E402
from training.distillation import Distillation, distilled  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15, NumPy 2.4


def teacher(seed: int) -> keras.Model:
    image = keras.Input((4, 4, 3))
    dense = keras.layers.Dense(10, kernel_initializer=keras.initializers.RandomNormal(seed=seed))
    return keras.Model(image, {"logits": dense(keras.layers.Flatten()(image))})


def test_the_loss_is_the_cross_entropy_with_the_teachers_mean_on_tomato_leaves() -> None:
    random = np.random.default_rng(0)
    images, logits = random.random((5, 4, 4, 3), np.float32), random.normal(size=(5, 10)).astype(np.float32)
    tomato = np.array([1, 1, 0, 1, 0], np.float32)
    teachers = [teacher(1), teacher(2)]
    layer = Distillation(teachers, weight=0.3)
    np.testing.assert_array_equal(layer(images, logits, tomato), logits)
    answers = np.mean([softmax(np.asarray(one(images)["logits"]), axis=1) for one in teachers], axis=0)
    expected = 0.3 * np.mean(-(answers * log_softmax(logits, axis=1)).sum(axis=1) * tomato)
    np.testing.assert_allclose(float(layer.losses[0]), expected, rtol=1e-4)
    assert not layer.trainable_weights


def test_a_teacher_that_knows_other_classes_is_refused() -> None:
    student = teacher(1)
    image = keras.Input((4, 4, 3))
    eleven = keras.Model(image, {"logits": keras.layers.Dense(11)(keras.layers.Flatten()(image))}, name="eleven")
    with pytest.raises(ModelError, match="eleven answers with 11 classes"):
        distilled(student, [eleven], 0.5)
