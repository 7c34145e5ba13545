"""The pictures of a report."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from schemas.labels import DISPLAY_NAMES, LABELS
from training.metrics import ECE_BINS

mpl.use("Agg")
NAMES = [DISPLAY_NAMES[label].split(" (")[0] for label in LABELS]


def confusion(matrix: NDArray[np.integer], title: str, path: Path) -> None:
    """Counts, coloured by the share of each true class."""
    figure = Figure((7.5, 6.6), layout="constrained")
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        colour = "white" if shares[row, column] > 0.6 else "black"
        axes.text(column, row, str(matrix[row, column]), ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(NAMES)), NAMES, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(NAMES)), NAMES, fontsize=8)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    _save(figure, path)


def reliability(confidence: NDArray[np.floating], correct: NDArray[np.bool_], title: str, path: Path) -> None:
    """Accuracy against confidence in the bins of the ECE, and how many photographs each bin holds."""
    figure = Figure((5, 5), layout="constrained")
    axes, below = figure.subplots(2, sharex=True, height_ratios=[3, 1])
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    filled = counts > 0
    accuracy = np.bincount(bins, correct, ECE_BINS)[filled] / counts[filled]
    mean = np.bincount(bins, confidence, ECE_BINS)[filled] / counts[filled]
    axes.plot([0, 1], [0, 1], "--", color="grey", linewidth=1)
    axes.plot(mean, accuracy, "o-", color="tab:green")
    axes.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02), title=title)
    below.bar((np.arange(ECE_BINS) + 0.5) / ECE_BINS, counts, 0.9 / ECE_BINS, color="tab:green")
    below.set(xlabel="calibrated confidence", ylabel="photographs")
    _save(figure, path)


def coverage(
    confidence: NDArray[np.floating], correct: NDArray[np.bool_], chosen: float, title: str, path: Path
) -> None:
    """Accuracy of the answers against the share of photographs answered, and where the threshold stands."""
    figure = Figure((5, 3.6), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(-confidence)
    share = np.arange(1, len(order) + 1) / len(order)
    axes.plot(share, correct[order].cumsum() / np.arange(1, len(order) + 1), color="tab:green")
    axes.axvline(float((confidence >= chosen).mean()), color="black", linestyle=":", label=f"threshold {chosen:.2f}")
    axes.axhline(0.99, color="grey", linestyle="--", linewidth=1, label="0.99")
    axes.set(xlabel="share answered", ylabel="accuracy of the answers", title=title)
    axes.legend()
    _save(figure, path)


def training_curves(history: list[dict[str, float]], title: str, path: Path) -> None:
    """Loss, validation accuracy and image size against progress, one unit a round."""
    figure = Figure((7.5, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    progress = [line["progress"] for line in history]
    left.plot(progress, [line["loss"] for line in history], "o-", markersize=3, color="tab:green")
    left.set(xlabel="progress, rounds in a row", ylabel="training loss", title=title)
    for name, label in (
        ("lab_accuracy", "labels, lab"),
        ("field_accuracy", "labels, field"),
        ("gate_accuracy", "gate"),
    ):
        values = [line.get(f"val_{name}", np.nan) for line in history]
        right.plot(progress, values, "o-", markersize=3, label=label)
    for before, line in pairwise(history):
        if before["px"] != line["px"]:
            right.axvline(line["progress"], color="grey", linestyle=":")
            right.text(line["progress"], right.get_ylim()[0], f" {line['px']:.0f} px", fontsize=8)
    right.set(xlabel="progress, rounds in a row", ylabel="accuracy on val (averaged weights)")
    right.legend()
    _save(figure, path)


def heatmaps(examples: list[tuple[NDArray[np.uint8], NDArray[np.floating], str]], path: Path) -> None:
    """Photographs with the predicted class's evidence over them; (image [px, px, 3], evidence [h, w], caption)."""
    columns = 4
    rows = -(-len(examples) // columns)
    figure = Figure((2 * columns, 2.3 * rows), layout="constrained")
    grid: NDArray[Any] = np.atleast_2d(figure.subplots(rows, columns))
    for axes in grid.flat:
        axes.axis("off")
    for axes, (image, evidence, caption) in zip(grid.flat, examples, strict=False):
        side = len(image)
        axes.imshow(image)
        positive = np.maximum(evidence, 0)
        axes.imshow(
            positive, cmap="inferno", alpha=0.45, extent=(-0.5, side - 0.5, side - 0.5, -0.5), interpolation="bilinear"
        )
        axes.set_title(caption, fontsize=7)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
