"""The subcommands `up`, `topics` and `doctor`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

up = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
topics = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
doctor = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@topics.command(epilog="Example: KAFKA=broker:9092 leaf topics")
def _topics(*, as_json: AsJson = False) -> None:
    """Create the topics and the default experiment, or check them; safe to repeat."""
    from ops.settings import TopicSettings
    from ops.topics import create_topics

    done = create_topics(TopicSettings())
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    for verb, names in (("created", done.created), ("changed the settings of", done.changed)):
        if names:
            typer.echo(f"{verb} {', '.join(names)}")
    if done.experiment:
        typer.echo(f"published the experiment {done.experiment}")
    typer.echo(f"{len(done.partitions)} topics are as they should be")


@up.command(epilog="Example: PORT=9000 leaf up")
def _up() -> None:
    """Start the whole stack on this machine; Ctrl-C stops it. The environment may give KAFKA, REDIS, MODE, PORT."""
    from ops.settings import StackSettings
    from ops.stack import Stack

    Stack(StackSettings()).run()


@doctor.command(epilog="Example: leaf doctor --json")
def _doctor(*, as_json: AsJson = False) -> None:
    """Say what works, what does not, and what to do; exit status 1 where something does not."""
    from rich.console import Console
    from rich.table import Table

    from ops.doctor import examine
    from ops.settings import TopicSettings

    findings = []
    table = Table("", "check", "found", "what to do", box=None, header_style="bold")
    signs = {"ok": "[green]ok[/]", "warning": "[yellow]note[/]", "error": "[red]wrong[/]"}
    for finding in examine(TopicSettings()):
        findings.append(asdict(finding))
        table.add_row(signs[finding.state], finding.check, escape(finding.says), escape(finding.remedy))
    if as_json:
        typer.echo(json.dumps(findings))
    else:
        Console(highlight=False).print(table)
    if any(finding["state"] == "error" for finding in findings):
        raise typer.Exit(1)
