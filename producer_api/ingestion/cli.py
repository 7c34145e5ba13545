"""`leaf ingest`."""

import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from producer_api.ingestion.address import hide_arguments
from producer_api.ingestion.feed import Feed, load
from producer_api.ingestion.ingestion import Ingestion
from producer_api.ingestion.progress import IngestProgress
from producer_api.ingestion.settings import IngestSettings
from producer_api.ingestion.summary import Summary
from schemas import logs
from schemas.errors import ConfigurationError, LeafError
from schemas.priority import yield_processor

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

INTERRUPTED = 130
EXAMPLES = """
Examples: leaf ingest photos.zip --unordered

leaf ingest greenhouse/ --camera-from-folder --watch

leaf ingest rtsp://10.0.0.7/stream --camera roof --fps 1
"""
INCOMPLETE = 3
"""Exit status of an ingest that came to its end, but could not use everything; its summary names what."""


@app.command(epilog=EXAMPLES)
def ingest(  # noqa: PLR0913, PLR0917  each is an option
    source: Annotated[
        str | None,
        typer.Argument(help="Folder, zip, video file, or the http:// (MJPEG) or rtsp:// address of a camera."),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Whose pictures these are; their order is kept.")] = None,
    camera_from_folder: Annotated[
        bool, typer.Option("--camera-from-folder", help="Each sub-folder is a camera.")
    ] = False,
    unordered: Annotated[
        bool, typer.Option("--unordered", help="A bulk load: spread over all partitions, in no order.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and take what arrives in the folder.")] = False,
    fps: Annotated[float | None, typer.Option(help="Frames a second, of a video or camera.")] = None,
    skip_similar: Annotated[
        int | None,
        typer.Option(
            metavar="BITS",
            help="Skip a frame whose 64-bit perceptual hash differs in at most so many bits from the last one kept.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Stop after so many frames.")] = None,
    crop: Annotated[str | None, typer.Option(metavar="X,Y,W,H", help="Only this part of each frame, pixels.")] = None,
    tiles: Annotated[
        str | None, typer.Option(metavar="CxR", help="One event per tile of a grid: for frames of many leaves.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A cameras.toml with many feeds, taken in at once and for ever.")
    ] = None,
    pace: Annotated[
        bool,
        typer.Option(
            help="Yield to growers' uploads; with --no-pace as fast as Kafka takes it, and uploads wait behind it."
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Bring pictures in bulk straight into Kafka. Run again, it goes on where it stopped and adds nothing twice.

    In an address, $NAME is taken from the environment. Exit status 3: something could not be used, see the summary.
    """
    logs.configure()
    if source:
        hide_arguments([source])
    if (source is None) == (config is None):
        msg = "give either a SOURCE or a --config"
        raise ConfigurationError(msg, "leaf ingest --help shows both.")
    options = {
        "camera": camera,
        "camera_from_folder": camera_from_folder,
        "unordered": unordered,
        "watch": watch,
        "fps": fps,
        "skip_similar": skip_similar,
        "limit": limit,
        "crop": crop,
        "tiles": tiles,
    }
    if config and any(options.values()):
        msg = "with --config, each feed's options stand in the file"
        raise ConfigurationError(msg, "Write them there.")
    if pace:
        yield_processor()
    feeds = load(config) if config else [Feed.of(source=source, **options)]
    ingestion = Ingestion(IngestSettings(), feeds, paced=pace, patient=config is not None)
    stopped_by = _stop_on_signals(ingestion)
    title = feeds[0].title if len(feeds) == 1 else f"{len(feeds)} feeds"
    try:
        with IngestProgress(ingestion, title) as progress:
            ingestion.run(progress.tick)
    except LeafError:
        if ingestion.summary["seen"]:
            _tell(ingestion.summary, as_json=as_json)
        raise
    _tell(ingestion.summary, as_json=as_json)
    if stopped_by:
        sys.exit(INTERRUPTED if signal.SIGINT in stopped_by else 0)
    if ingestion.summary.bad_files:
        sys.exit(INCOMPLETE)


def _tell(summary: Summary, *, as_json: bool) -> None:
    print(json.dumps(summary.as_json()) if as_json else summary.as_text())


def _stop_on_signals(ingestion: Ingestion) -> list[int]:
    """Let Ctrl-C and SIGTERM end it in good order; a second one ends it at once. Which came stands in the list."""
    came: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        ingestion.stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return came
