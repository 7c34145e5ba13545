"""Synthetic data, and a network small enough to train in seconds."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from leaves import write_split

os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@pytest.fixture(scope="session")
def leaves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.zip, val.zip and test.zip of synthetic leaves."""
    folder = tmp_path_factory.mktemp("leaves")
    for seed, (split, per_class) in enumerate({"train": 8, "val": 4, "test": 4}.items()):
        write_split(folder / f"{split}.zip", per_class, 100 * seed)
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of an architecture with a few thousand weights, known to the network builder while the test runs."""
    import keras

    from stream_workers.engines import networks

    def backbone(*, include_top: bool, weights: Any, input_shape: Any) -> Any:
        image = keras.Input(input_shape)
        x = keras.layers.Conv2D(16, 5, 4, padding="same", use_bias=False, name="stem")(image)
        x = keras.layers.BatchNormalization(name="stem_bn")(x)
        x = keras.layers.Activation("relu")(x)
        x = keras.layers.Conv2D(32, 3, 4, padding="same", name="deep")(x)
        x = keras.layers.BatchNormalization(name="deep_bn")(x)
        return keras.Model(image, keras.layers.Activation("relu")(x), name="backbone")

    monkeypatch.setitem(networks.BACKBONES, "tiny", backbone)
    return "tiny"


@pytest.fixture
def step_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training time in which a step takes 20 ms: budgets mean steps, however busy the machine is."""
    from training.trainer import Trainer

    advance, now = Trainer._advance, 0.0

    def advanced(self: Trainer, model: Any, sampler: Any, steps: int) -> float:
        nonlocal now
        now += 0.02 * steps
        return advance(self, model, sampler, steps)

    monkeypatch.setattr(Trainer, "_advance", advanced)
    monkeypatch.setattr("training.trainer.time", SimpleNamespace(monotonic=lambda: now))
