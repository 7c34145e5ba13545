"""Both networks, from photographs to models that workers serve."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from schemas.errors import ModelError
from training.evaluation import find_model
from training.release import next_version
from training.transfer import SCRATCH
from training.workshop import Workshop

SERVED: Final = {"efficientnetb0": 160, "resnet50": 128}
"""Side in pixels at which each network is exported (see README); the first one teaches the other."""
MADE: Final = "1"
"""What the models are called while they are made."""


class Rounds:
    """Trains EfficientNetB0, then ResNet50 with it as teacher, and publishes what came of it.

    1. Prepare what is not prepared.
    2. Make each model under `work`, where no worker looks: they would serve what is half made. ResNet50 continues from
       its newest published version, where there is one.
    3. Once both are calibrated, choose the version number above all others, and write it down.
    4. Publish both under that number, report on them, and clear the folder under `work`.

    Killed at any point and run again, it trains nothing twice and takes no second number.
    """

    def __init__(self, workshop: Workshop, steps: int | None, reports: Path) -> None:
        self._published = workshop
        self._workshop = replace(workshop, models=workshop.work / "models")
        self._number = self._workshop.models / "number"
        self._steps, self._reports = steps, reports

    def run(self) -> None:
        """Make all there is to make."""
        self._workshop.prepare(again=False)
        teacher, student = SERVED
        self._make(teacher, {})
        self._make(student, {"init": self._first(student), "teachers": (f"{teacher}@{MADE}",)})
        if not self._number.exists():
            for architecture in SERVED:
                self._workshop.calibrate(architecture, MADE)
            self._choose_number()
        number = self._number.read_text()
        for architecture in SERVED:
            self._workshop.release(architecture, MADE).publish(self._published.models / architecture / number)
        self._published.report(self._reports)
        self._clear()

    def _make(self, architecture: str, changes: Mapping[str, Any]) -> None:
        if not self._workshop.release(architecture, MADE).made:
            steps = {"steps": self._steps} if self._steps else {}
            self._workshop.train(architecture, {**changes, **steps})
            self._workshop.export(architecture, MADE, SERVED[architecture])

    def _first(self, architecture: str) -> str:
        """What the student starts from: the folder of its newest published version, or nothing."""
        try:
            return str(find_model(architecture, self._published.models))
        except ModelError:
            return SCRATCH

    def _choose_number(self) -> None:
        partial = self._number.with_suffix(".partial")
        partial.write_text(next_version(self._published.models))
        partial.replace(self._number)

    def _clear(self) -> None:
        """In one step for whoever looks: of a half-deleted folder, the next run would train again what is missing."""
        done = self._workshop.models.with_name("published")
        shutil.rmtree(done, ignore_errors=True)
        shutil.rmtree(self._workshop.models.rename(done))
