"""Making a model that workers load: files, calibration, figures and card."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from schemas.card import CARD_FILE, Calibration, ModelCard, Preprocessing, SplitMetrics
from schemas.labels import OUTPUTS
from stream_workers.engines import Engine, load_engine
from stream_workers.engines.second_look import SecondLook
from training.calibration import Looks, fit
from training.checkpoint import stored_average
from training.drift import baselines
from training.evaluation import UNKNOWN, evaluate
from training.export import export
from training.fingerprint import code_fingerprint
from training.inference import Served, serve
from training.layout import Collection
from training.network import float_network
from training.prepared import Prepared, resized
from training.recipe import Recipe

CALIBRATION_IMAGES = 320
"""Training photographs whose activations set the int8 ranges."""
BATCH_CEILING = {"openvino": 32, "tensorflow": 32}
FEWEST_OF_A_SOURCE = 30
"""Images of the ten labels from which on a source's figures say something."""
UNCALIBRATED = Calibration(temperature=1, confidence_threshold=0, gate_temperature=1, gate_threshold=0.5)
LOOKING_TWICE = Calibration(temperature=1, confidence_threshold=0, second_look=1, gate_temperature=1, gate_threshold=0)
"""At everything."""


@dataclass(frozen=True)
class Release:
    """One version of one model, made in steps; each step leaves a card that fits its files."""

    directory: Path
    """`models/<name>/<version>`."""

    @property
    def made(self) -> bool:
        """Whether it was exported."""
        return (self.directory / CARD_FILE).exists()

    def export(self, recipe: Recipe, run: Path, train: Prepared, px: int) -> ModelCard:
        """Write the files of a training run's averaged weights, with a card that is not calibrated yet."""
        weights, state = stored_average(run)
        network = float_network(recipe.architecture, weights, px)
        chosen = np.linspace(0, len(train) - 1, CALIBRATION_IMAGES).astype(int)
        images = resized(train.chosen(chosen), px)
        files = export(network, images, self.directory)
        card = ModelCard(
            name=self.directory.parent.name,
            version=self.directory.name,
            architecture=recipe.architecture,
            labels=OUTPUTS,
            preprocessing=Preprocessing(px=px),
            files=files,
            batch_ceiling=BATCH_CEILING,
            calibration=UNCALIBRATED,
            metrics={},
            data_fingerprint=train.fingerprint,
            code_fingerprint=code_fingerprint(),
            recipe={
                **recipe.model_dump(exclude={"sizes", "teachers", "without"}),
                "sizes": str(recipe.sizes),
                "teachers": ", ".join(recipe.teachers),
                "without": ", ".join(recipe.without),
                **state,
            },
            trained_at=datetime.now(UTC),
        )
        return self._save(card)

    def calibrate(self, collections: Sequence[Collection]) -> ModelCard:
        """Fit temperatures and thresholds on val, drift baselines on train, with the served int8 outputs."""
        card = ModelCard.load(self.directory).model_copy(update={"calibration": UNCALIBRATED})
        engine = load_engine("openvino", self.directory, card, threads=2)
        px = card.preprocessing.px

        def served(split: str, engine: Engine, *, lab: bool, every: int = 1) -> list[Served]:
            found = [one.splits() for one in collections if one.lab == lab]
            return [serve(parts[split], engine, px, every=every) for parts in found if split in parts]

        def looks(*, lab: bool) -> Looks | None:
            once, twice = (served("val", one, lab=lab) for one in (engine, SecondLook(engine, LOOKING_TWICE)))
            return Looks(Served.joined(once), Served.joined(twice)) if once else None

        found = looks(lab=True)
        assert found, "the lab has val"
        calibration = fit(found, looks(lab=False))
        again = SecondLook(engine, calibration)
        train = Served.joined([part for lab in (True, False) for part in served("train", again, lab=lab, every=5)])
        histograms, shares = baselines(train, calibration)
        return self._save(
            card.model_copy(update={"calibration": calibration, "drift_baselines": histograms, "class_shares": shares})
        )

    def score(
        self, name: str, sources: Sequence[Path], engine: str = "openvino", origins: Mapping[str, str] | None = None
    ) -> ModelCard:
        """Put the figures on these folders or zips, judged by an engine, into the card, as the split `name`.

        With `origins`, path -> source, also those of each source that has images enough.
        """
        card = ModelCard.load(self.directory)
        figures = evaluate(sources, self.directory, engine, origins)
        update: dict[str, object] = {"metrics": {**card.metrics, name: _kept(figures)}}
        if origins is not None:
            found = figures["by_source"]
            assert isinstance(found, dict)
            update["by_source"] = {
                source: _kept(one)
                for source, one in found.items()
                if _judged(one) >= FEWEST_OF_A_SOURCE and source != UNKNOWN
            }
        return self._save(card.model_copy(update=update))

    def publish(self, directory: Path) -> ModelCard:
        """Copy it to `<models>/<name>/<another version>`; the card comes last, and without it no worker looks there."""
        shutil.copytree(self.directory, directory, ignore=shutil.ignore_patterns(CARD_FILE), dirs_exist_ok=True)
        card = ModelCard.load(self.directory).model_copy(update={"version": directory.name})
        return Release(directory)._save(card)  # noqa: SLF001

    def _save(self, card: ModelCard) -> ModelCard:
        partial = self.directory / f".{CARD_FILE}"
        partial.write_text(card.model_dump_json(indent=1) + "\n")
        partial.replace(self.directory / CARD_FILE)
        return card


def _judged(figures: Mapping[str, object]) -> int:
    """How many images are of one of the ten labels."""
    confusion = figures.get("confusion", [])
    assert isinstance(confusion, list)
    return sum(map(sum, confusion))


def _kept(figures: Mapping[str, object]) -> SplitMetrics:
    return SplitMetrics.model_validate({key: value for key, value in figures.items() if key in KEPT})


KEPT = frozenset(SplitMetrics.model_fields)


def next_version(models: Path) -> str:
    """The number above those of all models: workers serve the highest."""
    return str(max((int(path.name) for path in models.glob("*/*") if path.name.isdigit()), default=0) + 1)
