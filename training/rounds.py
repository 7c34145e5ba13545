"""Both networks, from photographs to models that workers serve."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from training.release import next_version
from training.workshop import Workshop

SERVED: Final = {"efficientnetb0": 128, "resnet50": 160}
"""Side in pixels at which each network is exported: where validation photographs are judged best (see README)."""

FIRST, SECOND = "1", "2"
"""What the models of each round are called while they are made."""


class Rounds:
    """Trains both networks from scratch, then again with both as teachers, and publishes what came of it.

    1. Prepare what is not prepared.
    2. Make each round's models under `work`, where no worker looks: they would serve what is half made.
    3. Once the second round's are calibrated, settle on the version number above all others, and write it down.
    4. Publish both under that number, report on them, and clear the folder under `work`.

    Killed at any point and run again, it trains nothing twice and takes no second number.
    """

    def __init__(self, workshop: Workshop, minutes: float, reports: Path) -> None:
        self._published = workshop
        self._workshop = replace(workshop, models=workshop.work / "models")
        self._number = self._workshop.models / "number"
        self._minutes, self._reports = minutes, reports

    def run(self) -> None:
        """Make all there is to make."""
        self._workshop.prepare(again=False)
        self._make(FIRST, ())
        self._make(SECOND, [f"{architecture}@{FIRST}" for architecture in SERVED])
        if not self._number.exists():
            for architecture in SERVED:
                self._workshop.calibrate(architecture, SECOND)
            self._settle()
        number = self._number.read_text()
        for architecture in SERVED:
            self._workshop.release(architecture, SECOND).publish(self._published.models / architecture / number)
        self._published.report(self._reports)
        self._clear()

    def _make(self, version: str, teachers: Sequence[str]) -> None:
        for architecture, px in SERVED.items():
            if not self._workshop.release(architecture, version).made:
                init = f"{architecture}@{FIRST}" if teachers else "scratch"
                self._workshop.train(architecture, self._minutes, init, teachers)
                self._workshop.export(architecture, version, px)

    def _settle(self) -> None:
        partial = self._number.with_suffix(".partial")
        partial.write_text(next_version(self._published.models))
        partial.replace(self._number)

    def _clear(self) -> None:
        """In one step for whoever looks: of a half-deleted folder, the next run would train again what is missing."""
        done = self._workshop.models.with_name("published")
        shutil.rmtree(done, ignore_errors=True)
        shutil.rmtree(self._workshop.models.rename(done))
