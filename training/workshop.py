"""Where training works, and its steps there."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.ablation import AGAIN, MEAN, VARIANTS, Ablation, ablation_table
from training.dataset import DatasetError
from training.layout import collections
from training.prepared import Prepared, prepare
from training.recipe import RECIPES, Recipe
from training.release import Release
from training.report import write_reports
from training.swapped import swap_backgrounds
from training.threads import limit
from training.tracking import publish
from training.trainer import Trainer


@dataclass(frozen=True)
class Workshop:
    """The folders of training. Each step leaves files that the next one finds, and continues after a kill."""

    leaves: Path
    """Has `train`, `val`, `test` and perhaps `field`."""
    work: Path
    """What is prepared and half done."""
    models: Path
    """`<name>/<version>` each."""

    def prepare(self, *, again: bool) -> None:
        """Decode the images of train and val, or of those that are not prepared yet."""
        found = collections(self.leaves)
        for split in ("train", "val"):
            if again or not Prepared.there(self._data(split)):
                prepare(found, split, self._data(split))

    def train(self, architecture: str, changes: Mapping[str, Any], threads: int = 0) -> None:
        """Train one network by its recipe with these changes; a run by another recipe makes way."""
        limit(threads)
        run = self._run(architecture)
        recipe = RECIPES[architecture].model_copy(update=dict(changes))
        train, val = (Prepared.load(self._data(split)) for split in ("train", "val"))
        recipe.make_way(run)
        trainer = Trainer(recipe, train, val, run, self.models)
        try:
            trainer.run()
        finally:
            publish(run, recipe, self.work)

    def export(self, architecture: str, version: str, px: int = 0) -> None:
        """Write the model of the network's last run, for images of this side; 0: what it was last trained at."""
        run = self._run(architecture)
        recipe = Recipe.of(run)
        self.release(architecture, version).export(
            recipe, run, Prepared.load(self._data("train")), px or recipe.px(1.0)
        )

    def calibrate(self, architecture: str, version: str) -> None:
        """Fit a model's temperatures and thresholds; score it on every split there is, lab and field apart."""
        lab, *field = collections(self.leaves)
        release = self.release(architecture, version)
        release.calibrate([lab, *field])
        for split, source in lab.splits().items():
            if split != "train":
                release.score(split, [source])
        for split in ("val", "test"):
            if sources := [one.splits()[split] for one in field if split in one.splits()]:
                origins = {path: source for one in field for path, (source, _) in one.origins(split).items()}
                release.score(f"field_{split}", sources, origins=origins if split == "test" else None)
        if test := lab.splits().get("test"):
            release.score("test_float", [test], "tensorflow")
            with suppress(DatasetError):  # no scenes to swap in
                release.score("test_swapped", [swap_backgrounds(test, self._data("test_swapped"))])

    def report(self, reports: Path) -> None:
        """Draw plots and tables of each model's newest version."""
        write_reports(self.models, self.work, self.leaves, reports)

    def ablate(self, architecture: str, steps: int, left_out: str, threads: int, report: Path) -> None:
        """Train the recipe and variants of it; the report grows with each."""
        limit(threads)
        train, val = (Prepared.load(self._data(split)) for split in ("train", "val"))
        directory = self.work / "ablation" / architecture / f"{steps}-steps-without-{left_out}"
        ablation = Ablation(RECIPES[architecture], train, val, left_out, directory, steps)
        found = {}
        for variant in VARIANTS:
            found[variant] = ablation.figures(variant)
            if variant == AGAIN:
                found[MEAN] = ablation.mean()
            report.write_text(ablation_table(architecture, steps, left_out, found))

    def release(self, architecture: str, version: str) -> Release:
        """The model of this name and version, which need not be there yet."""
        return Release(self.models / architecture / version)

    def _data(self, split: str) -> Path:
        return self.work / "data" / split

    def _run(self, architecture: str) -> Path:
        return self.work / "runs" / architecture
