"""What a killed training continues from."""

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from schemas.errors import ModelError


class Checkpoint:
    """Weights, moving average, optimizer state and progress of one run, replaced as one file."""

    def __init__(self, directory: Path, model: keras.Model) -> None:
        self._path = directory / "checkpoint.npz"
        self._model = model
        self.average: list[NDArray[np.float32]] = [_numpy(weight) for weight in model.weights]
        directory.mkdir(parents=True, exist_ok=True)

    def restore(self) -> int:
        """Load weights and average of the last checkpoint, if there is one; returns the steps so far."""
        if not self._path.exists():
            return 0
        with np.load(self._path) as stored:
            for index, weight in enumerate(self._model.weights):
                weight.assign(stored[f"weight_{index}"])
                self.average[index] = stored[f"average_{index}"]
            state = json.loads(str(stored["state"]))
        return int(state["step"])

    def restore_optimizer(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Load the optimizer's state, where it was saved for as many trainable weights as there are now."""
        if not self._path.exists():
            return
        variables = optimizer.variables
        with np.load(self._path) as stored:
            if sum(name.startswith("optimizer_") for name in stored.files) == len(variables):
                for index, variable in enumerate(variables):
                    variable.assign(stored[f"optimizer_{index}"])

    def save(self, step: int, optimizer: keras.optimizers.Optimizer) -> None:
        """Write the state; a kill leaves the old one or the new one."""
        arrays: dict[str, Any] = {f"weight_{i}": _numpy(weight) for i, weight in enumerate(self._model.weights)}
        arrays |= {f"average_{i}": mean for i, mean in enumerate(self.average)}
        arrays |= {f"optimizer_{i}": _numpy(v) for i, v in enumerate(optimizer.variables)}
        arrays["state"] = json.dumps({"step": step})
        partial = self._path.with_suffix(".partial.npz")
        np.savez(partial, **arrays)
        os.replace(partial, self._path)  # noqa: PTH105


def stored_average(directory: Path) -> tuple[list[NDArray[np.float32]], dict[str, float]]:
    """The averaged weights of a run's last checkpoint, and how far it was. Raises ModelError where there is none."""
    path = directory / "checkpoint.npz"
    if not path.exists():
        msg = f"{path} does not exist"
        raise ModelError(msg, "Train first: python -m training train ARCHITECTURE")
    with np.load(path) as stored:
        names = sorted((name for name in stored.files if name.startswith("average_")), key=lambda name: int(name[8:]))
        return [stored[name] for name in names], json.loads(str(stored["state"]))


def _numpy(variable: Any) -> NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(variable))
