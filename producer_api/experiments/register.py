"""Changing experiments: one at a time, and never by half."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from producer_api.errors import ConflictError, DefinitionError, UnknownExperimentError
from producer_api.experiments.definition import LEAD, Definition, check_models, same, variants
from producer_api.experiments.log import ExperimentLog
from producer_api.experiments.trials import Trials
from schemas.experiment import Experiment
from schemas.timeline import Timeline


class History(BaseModel):
    """One experiment: how it stands and how it came there."""

    name: str
    state: Literal["running", "stopped"]
    in_force: bool
    """Whether photographs accepted now go by it; a stopped one stays in force, with its first arm, until a start."""
    current: Experiment
    versions: list[Experiment]
    """Oldest first."""
    void: list[int]
    """Versions that never took effect, since another experiment was running at their moment."""


class Register:
    """One experiment runs at a time; a version, once confirmed, stays as it is for ever.

    `define`, which every API process and the command line run without knowing of each other:

    1. reads the topic to its end, and refuses what contradicts it (another experiment runs, nothing to stop);
    2. refuses bad weights, models that are not there or not whole, and those that a worker can't load, with its reason
       (`Trials`); nothing was changed so far;
    3. writes the next version, in force from one second later on, and waits for the broker's acknowledgement;
    4. reads to the end again. Another's record under the same id that came first counts: it is written once more, so
       that compaction, which keeps the last, keeps it too, and the caller is told 409. So is who started an experiment
       while another process started one and was first in the log: by `Timeline` the later version is void.

    Saying again what already holds writes nothing. `timeline`, `all` and `get` answer from memory, with what stood in
    the topic some milliseconds ago. Survives: kill -9 at any step (before 3 nothing happened, after it the version
    holds). Assumes that the API's clock and the broker's agree to well within a second.
    """

    def __init__(
        self,
        records: ExperimentLog,
        models: Path,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        trials: Trials | None = None,
    ) -> None:
        """Without `trials` the workers are not asked."""
        self._log = records
        self._models = models
        self._trials = trials
        self._clock = clock
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to read the experiments, so that they are known when somebody asks."""
        self._log.start()

    def close(self) -> None:
        """Disconnect."""
        self._log.close()

    def timeline(self) -> Timeline:
        """All definitions, as they are known. Raises BrokerUnavailableError before they were ever read."""
        return self._log.known()

    def all(self) -> list[History]:
        """Every experiment that ever took effect, the one in force first."""
        timeline = self._log.known()
        found = [history for name in timeline.names() if (history := self._history(timeline, name))]
        return sorted(found, key=lambda history: (not history.in_force, history.name))

    def get(self, name: str) -> History:
        """One experiment. Raises UnknownExperimentError."""
        timeline = self._log.known()
        if history := self._history(timeline, name):
            return history
        msg = f"there is no experiment {name!r}"
        raise UnknownExperimentError(msg, f"There are {', '.join(timeline.names()) or 'none'}.")

    def define(self, name: str, definition: Definition) -> History:
        """Start, change or stop an experiment. Raises ConflictError, DefinitionError or BrokerUnavailableError."""
        with self._lock:
            timeline = self._log.read()
            last = timeline.line[-1] if timeline.line else None
            _check_turn(name, definition, last)
            before = timeline.versions(name)
            previous = next((version for version in reversed(before) if not timeline.is_void(version)), None)
            version = definition.version(
                name, before[-1].version + 1 if before else 1, previous, _moment(self._clock(), last)
            )
            if previous and same(previous, version):
                return self.get(name)
            if version.status == "running":
                check_models(version, self._models)
                self._try(version)
                version = version.model_copy(update={"effective_at": _moment(self._clock(), last)})  # that took a while
            self._log.append(version)
            self._read_back(version)
            return self.get(name)

    def _try(self, version: Experiment) -> None:
        """Raises DefinitionError where a worker can't load a model, SilentWorkersError."""
        named = {variant.model_id: variant.name for variant in reversed(variants(version))}
        refused = self._trials.refusals([*named]) if self._trials else {}
        for model, reason in refused.items():
            msg = f"{named.get(model, model)}: the workers can't load {model}: {reason}"
            raise DefinitionError(msg, "Nothing was changed.")

    def _read_back(self, version: Experiment) -> None:
        timeline = self._log.read()
        counts = next(found for found in timeline.versions(version.name) if found.version == version.version)
        if counts != version:
            self._log.append(counts)
            msg = f"{version.id} was defined otherwise at the same moment"
            raise ConflictError(msg, "Your change was not made. Look at the experiment, then change it again.")
        if timeline.is_void(version):
            msg = f"another experiment was started at the same moment as {version.id}"
            raise ConflictError(msg, "Yours was not started. Stop the other one first, then start yours again.")

    def _history(self, timeline: Timeline, name: str) -> History | None:
        versions = timeline.versions(name)
        held = [version for version in versions if not timeline.is_void(version)]
        if not held:
            return None
        return History(
            name=name,
            state=held[-1].status,
            in_force=timeline.line[-1].name == name,
            current=held[-1],
            versions=versions,
            void=[version.version for version in versions if version not in held],
        )


def _check_turn(name: str, definition: Definition, last: Experiment | None) -> None:
    running = last.name if last and last.status == "running" else None
    if definition.status == "stopped" and (last is None or last.name != name):
        msg = f"{name} is not running"
        raise ConflictError(msg, f"Running is {running}." if running else "No experiment is running.")
    if definition.status == "running" and running not in {None, name}:
        msg = f"{running} is running, and one experiment runs at a time"
        raise ConflictError(msg, f"Stop it first: leaf experiments stop {running}")


def _moment(now: datetime, last: Experiment | None) -> datetime:
    """A second from now, in whole milliseconds as broker timestamps are, and after all that was defined before."""
    moment = now + LEAD
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return max(moment, last.effective_at + timedelta(milliseconds=1)) if last else moment
