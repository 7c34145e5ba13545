"""The reports on the stored models: plots and tables, made by running them."""

import csv
import json
import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from schemas.card import CARD_FILE, ClassMetrics, ModelCard
from schemas.errors import ModelError
from schemas.labels import DISPLAY_NAMES, LABELS
from stream_workers.engines import load_engine
from stream_workers.probabilities import of_leaf, of_problems
from training import plots
from training.evaluation import find_model
from training.inference import Served, pixels, serve
from training.layout import collections
from training.metrics import expected_calibration_error, metrics
from training.tracking import read_history

EXAMPLES = 12


def write_reports(models: Path, work: Path, leaves: Path, reports: Path) -> None:
    """Write `<reports>/<name>-<version>/` for each model's newest version: report.md and PNGs.

    Only of that one the training's history may still be under `work`. Judged on test, or on val where there is no test.
    Raises ModelError where a model has not been scored there.
    """
    sources = collections(leaves)[0].splits()
    judged = "test" if "test" in sources else "val"
    for name in sorted({path.parent.parent.name for path in models.glob(f"*/*/{CARD_FILE}")}):
        directory = find_model(name, models)
        card = ModelCard.load(directory)
        if judged not in card.metrics:
            msg = f"{card.id} has no figures on {judged}"
            raise ModelError(msg, f"Score it: python -m training calibrate {name} --version {card.version}")
        _report(card, directory, sources, judged, work / "runs" / name, reports / card.id.replace("@", "-"))


def _report(card: ModelCard, directory: Path, sources: dict[str, Path], judged: str, run: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    engine = load_engine("openvino", directory, card, threads=os.cpu_count() or 1)
    served = serve(sources[judged], engine, card.preprocessing.px)
    figures = metrics(served, card.calibration)
    probabilities = of_problems(served.outputs.logits[served.known], card.calibration).labels
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == served.labels[served.known]
    title = f"{card.id}, {judged}"
    plots.confusion(np.array(figures["confusion"]), title, out / "confusion.png")
    ece = expected_calibration_error(confidence, correct)
    plots.reliability(confidence, correct, f"{title}: ECE {ece:.3f}", out / "reliability.png")
    plots.coverage(confidence, correct, card.calibration.confidence_threshold, title, out / "coverage.png")
    if history := _rounds(run):
        (out / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history))
        plots.training_curves(history, card.id, out / "training.png")
    plots.heatmaps(_examples(card, served, sources[judged]), out / "heatmaps.png")
    text = [f"# {card.id}\n", "Made by `python -m training report`.\n", *_splits_table(card)]
    text += _classes_table(card, judged)
    if "field" in sources:
        text += _field_table(card, serve(sources["field"], engine, card.preprocessing.px), sources["field"])
    (out / "report.md").write_text("\n".join(text) + "\n")


def _rounds(run: Path) -> list[dict[str, float]]:
    """The history of a run and of those before it, each with the count of those before added to its progress."""
    before = sorted(run.parent.glob(f"{run.name}-[0-9]*"), key=lambda path: int(path.name.rpartition("-")[2]))
    rounds = [read_history(one) for one in (*before, run)]
    return [
        {**line, "progress": round(line["progress"] + number, 4)} for number, one in enumerate(rounds) for line in one
    ]


def _splits_table(card: ModelCard) -> list[str]:
    columns = ("images", "accuracy", "macro_f1", "ece", "coverage", "selective_accuracy", "coverage_likely",
               "likely_accuracy", "other_diagnosed", "gatekeeper_auroc", "gatekeeper_false_reject",
               "gatekeeper_false_accept")  # fmt: skip
    lines = [
        "| split, or source of field photographs | " + " | ".join(name.replace("_", " ") for name in columns) + " |"
    ]
    lines.append("|---" * (len(columns) + 1) + "|")
    sources = {f"field_test: {name}": measured for name, measured in card.by_source.items()}
    for split, measured in {**card.metrics, **sources}.items():
        values = [getattr(measured, column) for column in columns]
        shown = ["" if v is None else str(v) if isinstance(v, int) else f"{v:.4f}" for v in values]
        lines.append(f"| {split} | " + " | ".join(shown) + " |")
    return [*lines, ""]


def _classes_table(card: ModelCard, judged: str) -> list[str]:
    lines = [
        f"{judged.capitalize()}, as served:\n",
        "| class | precision | recall | F1 | images | field: precision | recall | F1 | images |",
        "|---" * 9 + "|",
    ]
    field = card.metrics[f"field_{judged}"].per_class if f"field_{judged}" in card.metrics else {}
    for label, one in card.metrics[judged].per_class.items():
        pair = "".join(_class_cells(measured) for measured in (one, field.get(label)))
        lines.append(f"| {DISPLAY_NAMES[label]} |{pair}")
    return [*lines, ""]


def _class_cells(one: ClassMetrics | None) -> str:
    if one is None or not one.support:
        return " | | | 0 |"
    return f" {one.precision:.3f} | {one.recall:.3f} | {one.f1:.3f} | {one.support} |"


def _field_table(card: ModelCard, field: Served, source: Path) -> list[str]:
    """Tomato leaves only. Photographs taken in a field come in bursts: the mean over each leaf group counts once."""
    groups = _leaf_groups(source)
    judged: dict[tuple[str, int], list[int]] = defaultdict(list)
    probabilities = of_problems(field.outputs.logits, card.calibration).labels
    for index, (path, label) in enumerate(zip(field.paths, field.labels, strict=True)):
        if not field.known[index]:
            continue
        judged[groups.get(path, path), int(label)].append(index)
    right = defaultdict(list)
    for (_, label), members in judged.items():
        right[label].append(int(probabilities[members].mean(axis=0).argmax()) == label)
    gate = of_leaf(field.outputs.gate, card.calibration) >= card.calibration.gate_threshold
    sure = probabilities.max(axis=1) >= card.calibration.confidence_threshold
    answered = (gate & sure)[field.known].mean()
    lines = ["Field photographs, each leaf group counted once:\n", "| class | leaf groups | right |", "|---|---|---|"]
    lines += [f"| {DISPLAY_NAMES[LABELS[k]]} | {len(v)} | {sum(v)} |" for k, v in sorted(right.items())]
    answers = [answer for values in right.values() for answer in values]
    lines.append(f"| all | {len(answers)} | {sum(answers)} ({np.mean(answers):.2f}) |")
    return [*lines, f"\nAnswered (gate and confidence): {answered:.2f} of them.", ""]


def _leaf_groups(source: Path) -> dict[str, str]:
    manifest = source.parent / "manifest.csv"
    if not manifest.exists():
        return {}
    with manifest.open() as stream:
        return {row["path"]: row["leaf_group"] for row in csv.DictReader(stream) if row["split"] == source.stem}


def _examples(card: ModelCard, served: Served, source: Path) -> list[tuple[np.ndarray, np.ndarray, str]]:
    chosen = np.random.default_rng(1).permutation(np.flatnonzero(served.known))[:EXAMPLES]
    images = pixels(source, {served.paths[index] for index in chosen}, card.preprocessing.px)
    examples = []
    for index in chosen:
        said = int(served.outputs.logits[index, : len(LABELS)].argmax())
        truth = LABELS[served.labels[index]]
        caption = LABELS[said] if LABELS[said] == truth else f"{LABELS[said]}\n(is {truth})"
        examples.append((images[served.paths[index]], served.outputs.evidence[index, ..., said], caption))
    return examples
