"""`python -m training STEP`: one command per step."""

import logging
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from training.scoring import evaluate

LEAVES = Path("../shared/leaves")
WORK = Path("var/training")
MODELS = Path("models")

SERVED: Final[dict[Literal["resnet50", "efficientnetb0"], int]] = {"efficientnetb0": 128, "resnet50": 160}
"""Side in pixels at which each network is exported: where validation photographs are judged best (see README)."""

ROUNDS: Final = ("1", "2")
"""What the models of each round are called while they are made."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From photographs to models that workers serve.",
)

Leaves = Annotated[Path, typer.Option(help="Folder with train, val and test, each a zip or a folder of <label>/*.")]
Architecture = Annotated[Literal["resnet50", "efficientnetb0"], typer.Argument(help="Which network.")]
Minutes = Annotated[float, typer.Option(help="Budget of active training time; the schedule stretches to it.")]
Version = Annotated[str, typer.Option(help="Version directory under models/<architecture>/.")]
Models = Annotated[Path, typer.Option(help="Folder of the models, `<name>/<version>` each.")]


@app.callback()
def _defaults() -> None:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


@app.command()
def prepare(leaves: Leaves = LEAVES) -> None:
    """Decode every photograph once and cut its leaf out, into memory-mapped arrays under var/."""
    _prepare(leaves, again=True)


def _prepare(leaves: Path, *, again: bool) -> None:
    from training.layout import splits
    from training.prepared import Prepared
    from training.prepared import prepare as prepare_split

    for split, source in splits(leaves).items():
        if again or not Prepared.there(WORK / "data" / split):
            prepare_split(source, WORK / "data" / split)


@app.command()
def train(
    architecture: Architecture,
    minutes: Minutes = 180,
    init: Annotated[
        str, typer.Option(help="scratch, imagenet (downloads), a .weights.h5 file, or NAME@VERSION to continue.")
    ] = "scratch",
    teacher: Annotated[
        list[str] | None, typer.Option(help="NAME@VERSION whose answers are learnt beside the labels; may be repeated.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of TensorFlow; 0: all cores.")] = 0,
    models: Models = MODELS,
) -> None:
    """Train one network; run again after a kill, it continues from its checkpoint."""
    from training.prepared import Prepared
    from training.recipe import RECIPES
    from training.threads import limit
    from training.tracking import publish
    from training.trainer import Trainer

    limit(threads)
    data, run = WORK / "data", WORK / "runs" / architecture
    recipe = RECIPES[architecture].model_copy(update={"init": init, "teachers": tuple(teacher or ())})
    if "@" in init:
        recipe = recipe.continued(init, recipe.teachers)
    recipe.make_way(run)
    trainer = Trainer(recipe, Prepared.load(data / "train"), Prepared.load(data / "val"), run, minutes * 60, models)
    try:
        trainer.run()
    finally:
        publish(run, recipe, WORK)


@app.command()
def export(
    architecture: Architecture,
    version: Version = "1",
    px: Annotated[int, typer.Option(help="Side of the images it will serve; 0: what it was last trained at.")] = 0,
    models: Models = MODELS,
) -> None:
    """Write models/ARCHITECTURE/VERSION from the averaged weights: OpenVINO int8, float16 weights, card."""
    from training.prepared import Prepared
    from training.recipe import Recipe
    from training.release import Release

    run, train_split = WORK / "runs" / architecture, Prepared.load(WORK / "data" / "train")
    recipe = Recipe.of(run)
    Release(models / architecture / version).export(recipe, run, train_split, px or recipe.px(1.0))


@app.command()
def calibrate(
    architecture: Architecture, version: Version = "1", leaves: Leaves = LEAVES, models: Models = MODELS
) -> None:
    """Fit temperatures, thresholds and drift baselines on the served int8 outputs; score every split into the card."""
    from training.dataset import DatasetError
    from training.layout import splits
    from training.release import Release
    from training.swapped import swap_backgrounds

    sources = splits(leaves)
    release = Release(models / architecture / version)
    release.calibrate(sources)
    scored = {split: (source, "openvino") for split, source in sources.items() if split != "train"}
    if "test" in sources:
        scored["test_float"] = sources["test"], "tensorflow"
        with suppress(DatasetError):  # no scenes to swap in
            scored["test_swapped"] = swap_backgrounds(sources["test"], WORK / "data" / "test_swapped"), "openvino"
    release.score(scored)


@app.command()
def ablate(
    architecture: Architecture,
    minutes: Annotated[float, typer.Option(help="Active training time of each variant.")] = 10,
    leaves: Leaves = LEAVES,
    threads: Annotated[int, typer.Option(help="Threads of TensorFlow; 0: all cores.")] = 0,
) -> None:
    """Train the recipe and variants without one part of it; the table goes to training/reports/."""
    from training.ablation import VARIANTS, Ablation, ablation_table
    from training.layout import splits
    from training.prepared import Prepared
    from training.prepared import prepare as prepare_split
    from training.recipe import RECIPES
    from training.swapped import swap_backgrounds
    from training.threads import limit

    limit(threads)
    data, directory = WORK / "data", WORK / "ablation" / architecture / f"{minutes:g}-minutes"
    swapped = prepare_split(swap_backgrounds(splits(leaves)["val"], data / "val_swapped"), data / "val_swapped")
    train_split, val = Prepared.load(data / "train"), Prepared.load(data / "val")
    ablation = Ablation(RECIPES[architecture], train_split, val, swapped, directory, minutes * 60)
    path = Path(__file__).parent / "reports" / f"ablation-{architecture}.md"
    found = {}
    for variant in VARIANTS:
        found[variant] = ablation.figures(variant)
        path.write_text(ablation_table(architecture, minutes, found))


@app.command("all")
def everything(minutes: Minutes = 180, leaves: Leaves = LEAVES) -> None:
    """Prepare, train both networks from scratch, then again with both as teachers; export, calibrate and report.

    The models come to models/ when all is done, under the next version number. What a killed run has made is not made
    again.
    """
    from training.release import Release, next_version

    _prepare(leaves, again=False)
    made = WORK / "models"
    teachers: list[str] = []
    for version in ROUNDS:
        for architecture, px in SERVED.items():
            if not (made / architecture / version / "card.json").exists():
                init = f"{architecture}@{ROUNDS[0]}" if teachers else "scratch"
                train(architecture, minutes, init, teachers, models=made)
                export(architecture, version, px, made)
        teachers = [f"{architecture}@{version}" for architecture in SERVED]
    for architecture in SERVED:
        calibrate(architecture, ROUNDS[-1], leaves, made)
    number = next_version(MODELS)
    for architecture in SERVED:
        Release(made / architecture / ROUNDS[-1]).publish(MODELS / architecture / number)
    shutil.rmtree(made)
    report(leaves)


@app.command()
def split(
    source: Annotated[str, typer.Argument(help="Folder or zip of <Class name>/*, or tfds:plant_village.")],
    destination: Annotated[Path, typer.Argument(help="New folder for train, val and test.")],
) -> None:
    """Split a flat data set 80/10/10 by leaf; augmented copies go with their parent."""
    from training.splitting import split as split_by_leaf

    for name, photographs in split_by_leaf(source, destination).items():
        typer.echo(f"{name}: {photographs} photographs")


@app.command()
def report(leaves: Leaves = LEAVES) -> None:
    """Draw plots and tables of each model's newest version into training/reports/."""
    from training.report import write_reports

    write_reports(MODELS, WORK, leaves, Path(__file__).parent / "reports")


@app.command()
def table(
    into: Annotated[Path | None, typer.Option(help="File whose lines between the models marks are replaced.")] = None,
) -> None:
    """Print the README's model table, made from the cards, or put it into a file."""
    from training.table import insert, model_table

    if into:
        into.write_text(insert(into.read_text(), model_table(MODELS)))
    else:
        sys.stdout.write(model_table(MODELS))


app.command()(evaluate)
