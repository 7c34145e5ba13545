"""`leaf replay`."""

import asyncio
import json
import logging
import signal
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from schemas import logs
from schemas.card import ModelCard
from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.kafka import reach
from schemas.prediction import RunName
from schemas.priority import yield_processor
from schemas.reasons import reasons
from schemas.replay import Run
from schemas.topics import REPLAYS
from stream_workers.engines import Engine, load_engine
from stream_workers.models import Registry
from stream_workers.replay.bounds import Bound, Range, check_order, resolve
from stream_workers.replay.images import ImagesTopic
from stream_workers.replay.progress import Group
from stream_workers.replay.replayer import Replayer
from stream_workers.replay.runs import Runs, agree, own_topic
from stream_workers.replay.speed import Speed
from stream_workers.settings import WorkerSettings
from stream_workers.topology import images_topic_id

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
log = logging.getLogger(__name__)

INTERRUPTED = 130
TICK_S = 1.0


class Pace(StrEnum):
    """Choices of `--speed`."""

    MAX = "max"
    REALTIME = "realtime"


@app.command(epilog="Example: leaf replay --run may --from 2026-05-01 --to 2026-06-01 --model resnet50@5")
def replay(
    run: Annotated[str, typer.Option(help="Name of the run; the same name goes on with it, or adds a worker to it.")],
    start: Annotated[
        str | None, typer.Option("--from", metavar="T|P:OFFSET,...", help="First images; default: the oldest.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="T|P:OFFSET,...", help="Where to end; default: the newest by now.")
    ] = None,
    camera: Annotated[list[str] | None, typer.Option(help="Only this camera's images; may be repeated.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME@VERSION", help="Default: as the experiments then in force assigned.")
    ] = None,
    speed: Annotated[Pace, typer.Option(help="As fast as the machine has time for, or as it was.")] = Pace.MAX,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which images these are.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Compute a part of the past again, beside the live numbers. Every worker is the last in the queue for the CPU."""
    yield_processor()
    logs.configure("WARNING")
    started = time.monotonic()
    settings = WorkerSettings()
    chosen, known, gone = _run(settings, run, start, end, tuple(camera or ()), model)
    group = Group(settings.kafka, chosen)
    if gone:
        typer.echo(gone, err=True)
    interrupted = False
    if dry_run:
        answered, failed, images = 0, 0, chosen.length
    else:
        if not known:
            chosen = Runs(settings.kafka).define(chosen)
        if not group.progress().finished:
            interrupted = asyncio.run(_work(settings, chosen, group, Speed(realtime=speed is Pace.REALTIME)))
        progress = group.progress()
        answered, failed, images = progress.answered, progress.failed, progress.answered + progress.failed
    seconds = round(time.monotonic() - started, 3)
    if as_json:
        told = {"run": run, "images": images, "results": answered, "failed": failed, "seconds": seconds}
        typer.echo(json.dumps(told))
    elif dry_run:
        typer.echo(_plan(chosen))
    else:
        typer.echo(f"{run}: {images} images, {answered} answered, {failed} failed, in {seconds:.1f} s")
    if interrupted:
        sys.exit(INTERRUPTED)


def _run(
    settings: WorkerSettings, name: str, start: str | None, end: str | None, cameras: tuple[str, ...], model: str | None
) -> tuple[Run, bool, str | None]:
    """The run, whether it was defined before, and what of it is gone. Raises ConfigurationError, RunConflictError."""
    bounds = Bound.parse(start), Bound.parse(end)
    check_order(*bounds)
    reach(settings.kafka)
    images = ImagesTopic(settings.kafka)
    topic_id = images_topic_id(settings.kafka, embedded=settings.mode == "embedded")
    if known := Runs(settings.kafka).all().get(name):
        agree(known, start, end, cameras, model)
        own_topic(known, topic_id)
        return known, True, None
    if settings.mode == "embedded" and any(bound.time for bound in bounds):
        msg = "the embedded broker does not know when an image came"
        raise ConfigurationError(msg, "Give offsets, as in 0:1200,3:980.")
    found: Range = resolve(images, *bounds)
    try:
        run = Run(
            name=TypeAdapter(RunName).validate_python(name),
            topic_id=topic_id,
            start=found.start,
            end=found.end,
            cameras=cameras,
            model=model,
            defined_at=datetime.now(UTC),
            asked_from=start,
            asked_to=end,
        )
    except ValidationError as error:
        msg = f"these options don't fit: {'; '.join(reasons(error))}"
        raise ConfigurationError(msg, "leaf replay --help shows each option.") from error
    _check_model(settings, run.model)
    return run, False, found.gone


def _check_model(settings: WorkerSettings, model: str | None) -> None:
    """So that a mistyped model does not use up a run's name. Raises ModelError, ConfigurationError."""
    if model:
        ModelCard.load(settings.models.joinpath(*model.split("@")))
    else:
        Registry(settings.models, partial(_load, settings)).names()


def _plan(run: Run) -> str:
    lines = [f"{run.name} would compute {run.length} images{' at most' if run.cameras else ''}:"]
    lines += [
        f"  partition {p}: offsets {first} to {run.end[p]}" for p, first in run.start.items() if first < run.end[p]
    ]
    return "\n".join(lines)


async def _work(settings: WorkerSettings, run: Run, group: Group, speed: Speed) -> bool:
    """Be one worker of the run, with a progress bar; whether it was interrupted."""
    replayer = Replayer(settings, run, partial(_load, settings), speed)
    came: list[int] = []

    def stop(number: int) -> None:
        came.append(number)
        replayer.stop()
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)  # a second one ends it at once: what is not committed is computed again

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    showing = asyncio.create_task(_show(run, group))
    try:
        await replayer.work()
    except (MessageSizeTooLargeError, OutOfOrderSequenceNumber) as error:  # the second follows from the first
        msg = f"{REPLAYS.name} does not take a prediction of this replay (max.message.bytes)"
        raise ConfigurationError(
            msg, "Run `leaf topics`, then the same command again: it goes on where it stopped."
        ) from error
    except KafkaError as error:
        msg = f"Kafka does not answer as it should: {error!r}"
        raise BrokerUnavailableError(msg, "Run the same command again: it goes on where it stopped.") from error
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    return bool(came)


async def _show(run: Run, group: Group) -> None:
    """The whole run's progress, of all its workers."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(run.name, total=run.length, told="")
        while True:
            progress = await asyncio.to_thread(group.progress)
            speed = bar.tasks[0].speed or 0
            bar.update(task, completed=progress.passed, told=f"{speed:.0f} images/s, {progress.failed} failed")
            await asyncio.sleep(TICK_S)


def _load(settings: WorkerSettings, directory: Path, card: ModelCard) -> Engine:
    return load_engine(settings.engine, directory, card, settings.threads)
