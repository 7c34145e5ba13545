"""`leaf evaluate`, and `python -m training evaluate`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(epilog="Example: leaf evaluate test.zip --model resnet50")
def evaluate(
    path: Annotated[Path, typer.Argument(help="Folder tree or zip of <label>/<photograph>, any size.")],
    model: Annotated[str, typer.Option(help="NAME or NAME@VERSION; without a version, the newest.")],
    engine: Annotated[Literal["openvino", "tensorflow"], typer.Option(help="What computes.")] = "openvino",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    models: Annotated[Path, typer.Option(help="Directory of the models.")] = Path("models"),
    by_source: Annotated[
        Path | None,
        typer.Option(metavar="MANIFEST.csv", help="Columns path and source: gives the same figures for each source."),
    ] = None,
) -> None:
    """Score a model on labelled photographs, decoded exactly as edge and worker do; bad files are counted and named."""
    from training.evaluation import evaluate as evaluate_model
    from training.evaluation import find_model, read_origins

    origins = read_origins(by_source) if by_source else None
    figures = evaluate_model([path], find_model(model, models), engine, origins)
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        _print(figures)


def _print(figures: dict[str, object]) -> None:
    console = Console()
    summary, classes = Table(box=None, show_header=False), Table("class", "precision", "recall", "f1", "photographs")
    for name, value in figures.items():
        if isinstance(value, (int, float)):
            summary.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    per_class = figures["per_class"]
    assert isinstance(per_class, dict)
    for label, one in per_class.items():
        classes.add_row(label, *(f"{one[key]:.3f}" for key in ("precision", "recall", "f1")), str(one["support"]))
    console.print(summary, classes)
    if "by_source" in figures:
        console.print(_sources(figures["by_source"]))
    bad = figures["bad_file_names"]
    assert isinstance(bad, dict)
    for name, reason in bad.items():
        console.print(f"bad file {name}: {reason}", highlight=False, markup=False, soft_wrap=True)


SOURCE_COLUMNS = {
    "images": "images",
    "accuracy": "accuracy",
    "coverage": "diagnosed",
    "selective_accuracy": "right of these",
    "coverage_likely": "or likely",
    "likely_accuracy": "right of these",
    "ece": "ECE",
    "gatekeeper_false_reject": "false reject",
    "gatekeeper_false_accept": "false accept",
    "other_diagnosed": "other diagnosed",
}
"""Figure -> column of the table by source."""


def _sources(by_source: object) -> Table:
    assert isinstance(by_source, dict)
    table = Table("source", *SOURCE_COLUMNS.values())
    for name, figures in by_source.items():
        found = (figures.get(key, "") for key in SOURCE_COLUMNS)
        table.add_row(name, *(f"{value:.3f}" if isinstance(value, float) else str(value) for value in found))
    return table
