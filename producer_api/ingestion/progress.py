"""The progress bar: rate, errors, and how many pictures wait for their diagnosis."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from producer_api.ingestion.ingestion import Ingestion


class IngestProgress:
    """Shows an ingestion on stderr; nothing where stderr is no terminal."""

    def __init__(self, ingestion: Ingestion, title: str) -> None:
        self._ingestion, self._sent_before, self._seconds_before = ingestion, 0, 0.0
        self._rate = 0.0
        console = Console(stderr=True)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}", markup=False),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task(title, total=None, told="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tick(self) -> None:
        """Draw the present state."""
        summary, pace = self._ingestion.summary, self._ingestion.pace
        seconds = summary.seconds
        if seconds - self._seconds_before >= 1:
            self._rate = (summary["sent"] - self._sent_before) / (seconds - self._seconds_before)
            self._sent_before, self._seconds_before = summary["sent"], seconds
        told = [f"{self._rate:.0f} events/s", f"{len(summary.bad_files)} errors"]
        if pace:
            told.append(f"lag {pace.unanswered}")
        self._progress.update(self._task, completed=summary["seen"], total=self._ingestion.total, told=", ".join(told))
