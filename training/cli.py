"""`python -m training STEP`: one command per step."""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from training.scoring import evaluate

if TYPE_CHECKING:
    from training.workshop import Workshop

LEAVES = Path("../shared/leaves")
WORK = Path("var/training")
MODELS = Path("models")
REPORTS = Path(__file__).parent / "reports"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="From photographs to models that workers serve.",
    epilog="Example: python -m training split PlantVillage/ leaves/",
)

Leaves = Annotated[Path, typer.Option(help="Folder with train, val and test, each a zip or a folder of <label>/*.")]
Architecture = Annotated[Literal["resnet50", "efficientnetb0"], typer.Argument(help="Which network.")]
Version = Annotated[str, typer.Option(help="Version directory under models/<architecture>/.")]
Models = Annotated[Path, typer.Option(help="Folder of the models, `<name>/<version>` each.")]
Threads = Annotated[int, typer.Option(help="Threads of TensorFlow; 0: all cores.")]


@app.callback()
def _defaults() -> None:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")


def _workshop(leaves: Path = LEAVES, models: Path = MODELS) -> "Workshop":
    from training.workshop import Workshop

    return Workshop(leaves, WORK, models)


@app.command()
def prepare(leaves: Leaves = LEAVES) -> None:
    """Decode every photograph once and cut its leaf out, into memory-mapped arrays under var/."""
    _workshop(leaves).prepare(again=True)


@app.command()
def train(
    architecture: Architecture,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of 32 images; default: the recipe's.")] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="lite0 (EfficientNetB0: ImageNet weights from a package), scratch, imagenet (downloads), "
            "a .weights.h5 file, or NAME@VERSION to continue; default: the recipe's."
        ),
    ] = None,
    teacher: Annotated[
        list[str] | None, typer.Option(help="NAME@VERSION whose answers are learnt beside the labels; may be repeated.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="Source not to train on, as the manifests call it; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything that is drawn.")] = 0,
    threads: Threads = 0,
    models: Models = MODELS,
) -> None:
    """Train one network; run again after a kill, it continues from its checkpoint."""
    given = {
        "steps": steps,
        "init": init,
        "teachers": tuple(teacher or ()) or None,
        "without": tuple(without or ()) or None,
        "seed": seed,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    _workshop(models=models).train(architecture, changes, threads)


@app.command()
def export(
    architecture: Architecture,
    version: Version = "1",
    px: Annotated[int, typer.Option(help="Side of the images it will serve; 0: what it was last trained at.")] = 0,
    models: Models = MODELS,
) -> None:
    """Write models/ARCHITECTURE/VERSION from the averaged weights: OpenVINO int8, float16 weights, card."""
    _workshop(models=models).export(architecture, version, px)


@app.command()
def calibrate(
    architecture: Architecture, version: Version = "1", leaves: Leaves = LEAVES, models: Models = MODELS
) -> None:
    """Fit temperatures, thresholds and drift baselines on the served int8 outputs; score every split into the card."""
    _workshop(leaves, models).calibrate(architecture, version)


@app.command()
def ablate(
    architecture: Architecture,
    steps: Annotated[int, typer.Option(min=1, help="Of 32 images, for each variant.")] = 1000,
    without: Annotated[
        str, typer.Option(help="Source to leave out of training, as the manifests call it.")
    ] = "tom2024",
    leaves: Leaves = LEAVES,
    threads: Threads = 0,
) -> None:
    """Train the recipe and variants without one part of it; the table goes to training/reports/."""
    _workshop(leaves).ablate(architecture, steps, without, threads, REPORTS / f"ablation-{architecture}.md")


@app.command("all")
def everything(
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of each training; default: the recipes'.")] = None,
    leaves: Leaves = LEAVES,
) -> None:
    """Prepare; train EfficientNetB0, then ResNet50 with it as teacher; export, calibrate and report.

    The models come to models/ when all is done, under the next version number. What a killed run has made is not made
    again.
    """
    from training.rounds import Rounds

    Rounds(_workshop(leaves), steps, REPORTS).run()


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
    _workshop(leaves).report(REPORTS)


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

EXAMPLES = {
    "prepare": "prepare --leaves leaves/",
    "train": "train efficientnetb0",
    "export": "export efficientnetb0 --version 6",
    "calibrate": "calibrate efficientnetb0 --version 6 --leaves leaves/",
    "ablate": "ablate efficientnetb0",
    "all": "all --leaves leaves/",
    "split": "split PlantVillage.zip leaves/",
    "report": "report --leaves leaves/",
    "table": "table --into README.md",
    "evaluate": "evaluate leaves/test.zip --model efficientnetb0",
}
for _command in app.registered_commands:
    _name = _command.name or str(getattr(_command.callback, "__name__", ""))
    _command.epilog = f"Example: python -m training {EXAMPLES[_name]}"
