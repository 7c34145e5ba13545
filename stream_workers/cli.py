"""`leaf dead-letters`: look at what could not be diagnosed, and put it back."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Column, Table

from schemas.errors import ConfigurationError
from schemas.kafka import reach
from stream_workers.dead_letters import TOPICS, DeadLetter
from stream_workers.retries import Retries
from stream_workers.settings import WorkerSettings

dead_letters = typer.Typer(
    help="Photographs that could not be diagnosed.",
    epilog="Example: leaf dead-letters list",
    no_args_is_help=True,
    add_completion=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Kind = Annotated[str | None, typer.Option(help=f"Only {' or '.join(TOPICS)}.")]


@dead_letters.command(name="list", epilog="Example: leaf dead-letters list --kind failed")
def list_(kind: Kind = None, json_: Json = False) -> None:
    """List the dead letters, oldest first."""
    _check_kind(kind)
    retries = _read()
    rows = [letter.described() | {"retried": retries.is_done(letter)} for letter in _of_kind(retries, kind)]
    if json_:
        print(json.dumps({"dead_letters": rows}))
        return
    table = Table(Column("id", no_wrap=True), Column("what", overflow="fold"), box=None, header_style="bold")
    for row in rows:
        state = f"attempt {row['attempt']}{', retried' if row['retried'] else ''}, {row['bytes']} bytes"
        table.add_row(row["id"], escape(f"{row['at']}, {state}\nimage {row['image_id']}\n{row['error']}"))
    Console(highlight=False).print(table if rows else "There are no dead letters.")


@dead_letters.command(epilog="Example: leaf dead-letters show failed:3:17 --save leaf.jpg")
def show(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `list` names it.")],
    save: Annotated[Path | None, typer.Option(help="Write the original bytes to this file.")] = None,
    json_: Json = False,
) -> None:
    """Show one dead letter with all its headers."""
    retries = _read()
    (letter,) = _named(retries.letters, [id_])
    if save:
        save.write_bytes(letter.value)
    headers = {name: letter.header(name) for name, _ in letter.headers}
    described = letter.described() | {"retried": retries.is_done(letter), "headers": headers}
    if json_:
        print(json.dumps(described))
        return
    table = Table(box=None, show_header=False)
    for name, value in (described | {"headers": ""} | headers).items():
        table.add_row(escape(name), escape(str(value)))
    Console(highlight=False).print(table)


@dead_letters.command(epilog="Example: leaf dead-letters retry --all --kind failed")
def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `list` names them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All that were not retried yet.")] = False,
    kind: Kind = None,
    json_: Json = False,
) -> None:
    """Put dead letters back into the images topic, under the same image id; what was retried already is skipped."""
    if bool(ids) == all_:
        msg = "name the dead letters to retry, or say --all"
        raise ConfigurationError(msg, "`leaf dead-letters list` names them.")
    _check_kind(kind)
    retries = _read()
    letters = _of_kind(retries, kind)
    if ids:
        letters = _named(letters, ids)
    with Progress(console=Console(stderr=True), disable=json_ or not sys.stderr.isatty()) as progress:
        task = progress.add_task("putting back", total=len(letters))
        retried = retries.put_back(letters, lambda count: progress.advance(task, count))
    skipped = len(letters) - retried
    if json_:
        print(json.dumps({"retried": retried, "skipped": skipped}))
    else:
        print(f"{retried} put back, {skipped} skipped that were retried before")


def _read() -> Retries:
    settings = WorkerSettings()
    reach(settings.kafka)
    retries = Retries(settings.kafka)
    retries.read()
    return retries


def _check_kind(kind: str | None) -> None:
    """Raises ConfigurationError for a kind that there is not."""
    if kind is not None and kind not in TOPICS:
        msg = f"there is no kind {kind!r}"
        raise ConfigurationError(msg, f"Choose one of {', '.join(TOPICS)}.")


def _of_kind(retries: Retries, kind: str | None) -> list[DeadLetter]:
    return [letter for letter in retries.letters if kind in {None, letter.kind}]


def _named(letters: list[DeadLetter], ids: list[str]) -> list[DeadLetter]:
    known = {letter.id: letter for letter in letters}
    if unknown := [id_ for id_ in ids if id_ not in known]:
        msg = f"there is no dead letter {', '.join(unknown)}"
        raise ConfigurationError(msg, "`leaf dead-letters list` names them.")
    return [known[id_] for id_ in dict.fromkeys(ids)]
