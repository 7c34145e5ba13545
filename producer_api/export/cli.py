"""`leaf export`."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from producer_api.export import rows
from producer_api.export.file import Format, write
from producer_api.export.images import save
from producer_api.export.topic import Stretch, TopicReader
from producer_api.settings import ApiSettings
from schemas.errors import ConfigurationError
from schemas.kafka import reach
from schemas.moment import EPOCH, in_order, moment
from schemas.topics import FEEDBACK, IMAGES, PREDICTIONS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class What(StrEnum):
    """What there is to export."""

    predictions = "predictions"
    feedback = "feedback"
    results = "results"


@app.command(epilog="Example: leaf export results --from 2026-05-01 --to 2026-06-01 --images photographs/")
def export(
    what: Annotated[What, typer.Argument(help="`results` are the photographs, each with the last feedback on it.")],
    begin: Annotated[str | None, typer.Option("--from", metavar="TIME", help="ISO 8601; left out: all.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Excluded; left out: up to now.")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="csv (a text that a spreadsheet would run begins with '), or parquet.")
    ] = "csv",
    out: Annotated[Path | None, typer.Option(help="File to write; left out: leaf-WHAT.FORMAT here.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Also write the photographs, to DIR/<label>/, true label where it is known.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Write what the topics hold of a range of time (when predictions or feedback were stored) to a file."""
    if images and what is What.feedback:
        msg = "feedback alone does not say where its photographs are"
        raise ConfigurationError(msg, "Export results with --images: they hold the feedback too.")
    first, last = (moment(text) if text else None for text in (begin, end))
    in_order(first, last)
    first = first or EPOCH
    path = out or Path(f"leaf-{what.value}.{form}")
    settings = ApiSettings()
    reach(settings.kafka)
    reading = TopicReader(settings.kafka, finds_times=settings.mode != "embedded")
    with reading as reader, _progress() as progress:
        schema, found = _rows(what, reader, first, last, progress)
        if images:
            kept = list(found)
            save(reader, reader.between(IMAGES, EPOCH, None), kept, images)
            schema, found = schema.append(rows.IMAGE), iter(kept)
        count = write(path, form, schema, found)
    saved = sum("image" in row for row in kept) if images else 0
    if as_json:
        typer.echo(json.dumps({"file": str(path), "rows": count, "images": saved}))
    else:
        typer.echo(f"{count} rows in {path}" + (f", {saved} photographs below {images}" if images else ""))


def _rows(
    what: What, reader: TopicReader, begin: datetime, end: datetime | None, progress: Progress
) -> tuple[Any, Iterator[rows.Row]]:
    def records(stretch: Stretch) -> Iterable[Any]:
        return progress.track(reader.read(stretch), stretch.records, description=stretch.topic.name)

    match what:
        case What.predictions:
            return rows.PREDICTIONS, rows.predictions(records(reader.between(PREDICTIONS, begin, end)))
        case What.feedback:
            return rows.FEEDBACK, rows.feedback(records(reader.between(FEEDBACK, begin, end)))
        case What.results:
            told = records(reader.between(FEEDBACK, begin, None))
            return rows.RESULTS, rows.results(records(reader.between(PREDICTIONS, begin, end)), told)


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
