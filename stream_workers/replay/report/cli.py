"""`leaf replay-report`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from schemas import logs
from schemas.errors import ConfigurationError
from schemas.kafka import reach
from schemas.settings import var_dir
from stream_workers.replay.images import ImagesTopic
from stream_workers.replay.progress import Group
from stream_workers.replay.report.comparison import Changed, Comparison
from stream_workers.replay.report.contact_sheet import contact_sheet
from stream_workers.replay.report.page import html, text
from stream_workers.replay.report.results import Results
from stream_workers.replay.runs import Runs
from stream_workers.settings import WorkerSettings
from stream_workers.topology import images_topic_id

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

LIVE = "live"


@app.command(epilog="Example: leaf replay-report may --against live")
def replay_report(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The run.")],
    against: Annotated[str, typer.Option(metavar="live|RUN", help="What it is compared with.")] = LIVE,
    out: Annotated[Path | None, typer.Option(help="Where report.json, report.html and contact-sheet.png go.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What a replay changed: agreement, label by label, confidence, accuracy by feedback, the most changed images."""
    logs.configure("WARNING")
    settings = WorkerSettings()
    reach(settings.kafka)
    runs = Runs(settings.kafka).all()
    for needed in {name} | ({against} - {LIVE}):
        if needed not in runs:
            msg = f"there is no run {needed!r}"
            raise ConfigurationError(msg, f"There are {', '.join(sorted(runs)) or 'none'}.")
    progress = Group(settings.kafka, runs[name]).progress()
    if not progress.finished:
        typer.echo(f"{name} is not finished: {progress.passed} of {progress.run.length} images so far", err=True)
    comparison = Comparison.of(Results(settings.redis_url).pairs(name, None if against == LIVE else against))
    if (waiting := progress.answered + progress.failed - comparison.images - comparison.missing) > 0:
        typer.echo(f"{waiting} results of {name} are not in Redis, or not yet", err=True)
    directory = out or var_dir() / "reports" / f"{name}-against-{against}"
    directory.mkdir(parents=True, exist_ok=True)
    told = comparison.as_json(name, against)
    sheet = contact_sheet(comparison.most, _jpegs(settings, comparison.most))
    (directory / "report.json").write_text(json.dumps(told | _more(comparison), indent=2) + "\n")
    (directory / "report.html").write_text(html(name, against, comparison, sheet))
    (directory / "contact-sheet.png").write_bytes(sheet)
    if as_json:
        typer.echo(json.dumps(told))
    else:
        typer.echo(text(name, against, comparison))
        typer.echo(f"written: {directory}/report.html, report.json, contact-sheet.png")


def _more(comparison: Comparison) -> dict[str, object]:
    most = [{"image_id": each.image_id, "distance": each.distance} for each in comparison.most]
    return {
        "missing": comparison.missing,
        "confidence_shift": comparison.shift,
        "most_changed": most,
        "models_before": dict(comparison.models_before),
        "models_after": dict(comparison.models_after),
        "verdicts_before": dict(comparison.verdicts_before),
        "verdicts_after": dict(comparison.verdicts_after),
    }


def _jpegs(settings: WorkerSettings, changed: list[Changed]) -> dict[str, bytes]:
    """Image id to JPEG, of those that the topic still holds."""
    topic_id = images_topic_id(settings.kafka, embedded=settings.mode == "embedded")
    sources = {each.image_id: each.pair.after.source for each in changed}
    places = {image_id: (s.partition, s.offset) for image_id, s in sources.items() if s.topic_id == topic_id}
    records = ImagesTopic(settings.kafka).read(places.values())
    return {image_id: records[place].value() for image_id, place in places.items() if place in records}
