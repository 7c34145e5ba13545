"""The one command, `leaf`: it gathers what the rooms define and imports a room only when its subcommand runs."""

import sys
from importlib import import_module
from typing import Final

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from schemas.errors import LeafError
from schemas.settings import wrong_variables

#: Subcommand -> (typer app as module:attribute, what `leaf --help` says of it).
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "up": ("ops.cli:up", "Start the whole stack on this machine; Ctrl-C stops it."),
    "topics": ("ops.cli:topics", "Create the topics and the default experiment, or check them."),
    "experiments": ("producer_api.experiments.cli:app", "List, show, start, change and stop experiments."),
    "ingest": ("producer_api.ingestion.cli:app", "Bring folders, zips, videos and cameras in, in bulk."),
    "dead-letters": ("stream_workers.cli:dead_letters", "List, show and put back what could not be diagnosed."),
    "replay": ("stream_workers.replay.cli:app", "Compute a part of the past again, beside the live numbers."),
    "replay-report": ("stream_workers.replay.report.cli:app", "Say what a replay changed."),
    "export": ("producer_api.export.cli:app", "Write predictions, feedback or results to a CSV or Parquet file."),
    "evaluate": ("training.scoring:app", "Score a stored model on labelled photographs."),
    "doctor": ("ops.cli:doctor", "Say what works, what does not, and what to do."),
}


VERSION: Final = "0.1.0"
HELP: Final = ["-h", "--help"]


def main() -> None:
    """Console script. Errors are one sentence and what to do, on stderr, with exit status 1."""
    console = Console(stderr=True, highlight=False)
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in {*HELP, "--version"}:
        _help() if name in HELP else print(f"leafstream {VERSION}")
        return
    if name not in COMMANDS:
        console.print(f"[red]leaf:[/red] there is no command {name!r}; see leaf --help")
        sys.exit(2)
    module, attribute = COMMANDS[name][0].split(":")
    try:
        command = getattr(import_module(module), attribute)
        command(args=arguments, prog_name=f"leaf {name}", help_option_names=HELP)
    except ValidationError as error:
        if not error.title.endswith("Settings"):
            raise
        for sentence in wrong_variables(error):
            console.print(f"[red]leaf:[/red] {escape(sentence)}", soft_wrap=True)
        sys.exit(1)
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        file = error.filename2 or error.filename
        console.print(f"[red]leaf:[/red] {escape(str(file))}: {escape(error.strerror)}.", soft_wrap=True)
        sys.exit(1)
    except LeafError as error:
        console.print(f"[red]leaf:[/red] {escape(error.advice)}", soft_wrap=True)
        sys.exit(1)


def _help() -> None:
    table = Table("command", "what it does", box=None, header_style="bold")
    for command, (_, text) in COMMANDS.items():
        table.add_row(command, text)
    print_out = Console(highlight=False).print
    print_out("Usage: leaf COMMAND [OPTIONS]    (leaf COMMAND --help says more)\n", table)
    print_out("\nExample: leaf ingest photos.zip --unordered\nleaf --version says which release this is.")


if __name__ == "__main__":
    main()
