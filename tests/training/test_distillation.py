import numpy as np
import pytest

keras = pytest.importorskip("keras")

from scipy.special import expit, log_softmax, softmax  # noqa: E402

from schemas.errors import ModelError  # noqa: E402
from training.distillation import Distillation, distilled  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras 3.15, NumPy 2.4


def teacher(seed: int) -> keras.Model:
    image = keras.Input((4, 4, 3))
    flat = keras.layers.Flatten()(image)
    logits, gate = (
        keras.layers.Dense(size, kernel_initializer=keras.initializers.RandomNormal(seed=seed)) for size in (10, 1)
    )
    return keras.Model(image, {"logits": logits(flat), "gate": gate(flat)})


def test_the_loss_is_the_cross_entropy_with_the_teachers_mean_on_tomato_leaves() -> None:
    random = np.random.default_rng(0)
    images, logits = random.random((5, 4, 4, 3), np.float32), random.normal(size=(5, 10)).astype(np.float32)
    tomato, gate = np.array([1, 1, 0, 1, 0], np.float32), random.normal(size=5).astype(np.float32)
    teachers = [teacher(1), teacher(2)]
    layer = Distillation(teachers, weight=0.3)
    for returned, given in zip(layer(images, logits, gate, tomato), (logits, gate), strict=True):
        np.testing.assert_array_equal(returned, given)
    answers = [one(images) for one in teachers]
    labels = np.mean([softmax(np.asarray(answer["logits"]), axis=1) for answer in answers], axis=0)
    leaf = np.mean([expit(np.asarray(answer["gate"])[:, 0]) for answer in answers], axis=0)
    label_loss = np.mean(-(labels * log_softmax(logits, axis=1)).sum(axis=1) * tomato)
    gate_loss = np.mean(-leaf * np.log(expit(gate)) - (1 - leaf) * np.log(expit(-gate)))
    np.testing.assert_allclose(float(layer.losses[0]), 0.3 * (label_loss + gate_loss), rtol=1e-4)
    assert not layer.trainable_weights


def test_a_teacher_that_knows_other_classes_is_refused() -> None:
    student = teacher(1)
    image = keras.Input((4, 4, 3))
    eleven = keras.Model(image, {"logits": keras.layers.Dense(11)(keras.layers.Flatten()(image))}, name="eleven")
    with pytest.raises(ModelError, match="eleven answers with 11 classes"):
        distilled(student, [eleven], 0.5)
