"""`leaf experiments`: straight to Kafka, without the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from producer_api.errors import DefinitionError
from producer_api.experiments.definition import Definition
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.register import History, Register
from producer_api.experiments.trials import Trials
from producer_api.settings import ApiSettings
from schemas.experiment import Arm, Experiment, Name, Shadow
from schemas.kafka import reach
from schemas.reasons import reasons

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    help="List, show and change experiments.",
    epilog="Example: leaf experiments list",
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NameGiven = Annotated[str, typer.Argument(metavar="NAME", help="The experiment.")]


@app.command("list", epilog="Example: leaf experiments list")
def _list(*, as_json: AsJson = False) -> None:
    """Every experiment, the one in force first."""
    with _register() as register:
        found = register.all()
    if as_json:
        typer.echo(TypeAdapter(list[History]).dump_json(found, indent=2))
        return
    table = Table("experiment", "state", "version", "since", "arms", box=None, header_style="bold")
    for history in found:
        state = f"{history.state}{'' if history.in_force else ' (not in force)'}"
        table.add_row(history.name, state, *_cells(history.current))
    Console(highlight=False).print(table)


@app.command(epilog="Example: leaf experiments show default")
def show(name: NameGiven, *, as_json: AsJson = False) -> None:
    """One experiment with all its versions."""
    with _register() as register:
        _print(register.get(name), as_json=as_json)


@app.command(epilog="Example: leaf experiments start spring --arm old=resnet50@5:0.9 --arm new=efficientnetb0@5:0.1")
def start(
    name: NameGiven,
    arm: Annotated[
        list[str] | None, typer.Option(metavar="ARM=MODEL@VERSION:WEIGHT", help="One arm; the first is the control.")
    ] = None,
    shadow: Annotated[
        list[str] | None, typer.Option(metavar="NAME=MODEL@VERSION", help="Computes along, answers nobody.")
    ] = None,
    sticky: Annotated[str | None, typer.Option(metavar="image|uploader|camera", help="What keeps its arm.")] = None,
    salt: Annotated[str | None, typer.Option(help="Another salt shuffles all photographs anew.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Start an experiment, or change the running one; what is left out stays as it was."""
    with _plainly():
        definition = Definition.model_validate(
            {
                "arms": [_arm(text) for text in arm] if arm else None,
                "shadows": [_shadow(text) for text in shadow] if shadow else None,
                "sticky_key": sticky,
                "salt": salt,
            }
        )
        TypeAdapter(Name).validate_python(name)
    with _register() as register:
        _print(register.define(name, definition), as_json=as_json)


@app.command("set-weights", epilog="Example: leaf experiments set-weights spring old=0.5 new=0.5")
def set_weights(
    name: NameGiven,
    weights: Annotated[list[str], typer.Argument(metavar="ARM=WEIGHT...", help="They must sum to 1.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Change the shares of the running experiment's arms."""
    given = dict(_pair(text, "=", "ARM=WEIGHT") for text in weights)
    with _register() as register:
        current = register.get(name).current
        if unknown := given.keys() - {arm.name for arm in current.arms}:
            msg = f"{name} has no arm {', '.join(sorted(unknown))}"
            raise DefinitionError(msg, f"It has {', '.join(arm.name for arm in current.arms)}.")
        arms = [arm.model_dump() | {"weight": given.get(arm.name, arm.weight)} for arm in current.arms]
        definition = Definition.model_validate({"status": current.status, "arms": arms})
        _print(register.define(name, definition), as_json=as_json)


@app.command(epilog="Example: leaf experiments stop spring")
def stop(name: NameGiven, *, as_json: AsJson = False) -> None:
    """Stop it: from now on every photograph goes to its first arm, until an experiment is started."""
    with _register() as register:
        _print(register.define(register.get(name).name, Definition(status="stopped")), as_json=as_json)


@contextmanager
def _register() -> Iterator[Register]:
    settings = ApiSettings()
    reach(settings.kafka)
    register = Register(
        ExperimentLog(settings.kafka, settings.publish_seconds),
        settings.models_dir,
        trials=Trials(settings.kafka, settings.worker_group, embedded=settings.mode == "embedded"),
    )
    try:
        with _plainly():
            yield register
    finally:
        register.close()


@contextmanager
def _plainly() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise DefinitionError("; ".join(reasons(error)), "Nothing was changed.") from error


def _print(history: History, *, as_json: bool) -> None:
    if as_json:
        typer.echo(history.model_dump_json(indent=2))
        return
    table = Table("", "status", "version", "since", "arms", box=None, header_style="bold")
    for version in history.versions:
        note = "void" if version.version in history.void else "now" if version == history.current else ""
        table.add_row(note, version.status, *_cells(version))
    Console(highlight=False).print(table)


def _cells(version: Experiment) -> tuple[str, str, str]:
    arms = [f"{arm.name} {arm.weight:.0%} {arm.model}@{arm.version}" for arm in version.arms]
    shadows = [f"{shadow.name} shadow {shadow.model}@{shadow.version}" for shadow in version.shadows]
    since = version.effective_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return str(version.version), since, "\n".join([*arms, *shadows])


def _arm(text: str) -> Arm:
    variant, weight = _pair(text, ":", "ARM=MODEL@VERSION:WEIGHT")
    return Arm.model_validate(_shadow(variant).model_dump() | {"weight": weight})


def _shadow(text: str) -> Shadow:
    name, model = _pair(text, "=", "NAME=MODEL@VERSION")
    model, version = _pair(model, "@", "NAME=MODEL@VERSION")
    return Shadow(name=name, model=model, version=version)


def _pair(text: str, mark: str, form: str) -> tuple[str, str]:
    before, found, after = text.rpartition(mark)
    if not (before and found and after):
        msg = f"{text!r} is not of the form {form}"
        raise DefinitionError(msg, "Nothing was changed.")
    return before, after
