"""Which experiment is in force when: the same answer for every reader of `leaf.experiments`."""

from bisect import bisect_right
from collections.abc import Iterable
from typing import Self

from schemas.experiment import Experiment


class Timeline:
    """Every version ever defined, and the line of those that take effect.

    1. Definitions are given in the order of the log. The first record of a `name@version` counts; a later one with the
       same id changes nothing.
    2. A version that contradicts the line before it is void for ever: running while another experiment runs, stopped
       while its experiment is not in force, not newer than the version in force of the same experiment, or in effect
       earlier than what stands before it. So of two processes that start experiments at once, the one whose record
       comes first succeeds, and nothing that comes later takes that back.
    """

    def __init__(self, experiments: Iterable[Experiment] = ()) -> None:
        self._known: dict[str, Experiment] = {}
        self._line: list[Experiment] = []
        self._effective: dict[str, Experiment] = {}
        self._starts: list[float] = []
        for experiment in experiments:
            self._known.setdefault(experiment.id, experiment)
        self._draw()

    def with_(self, experiment: Experiment) -> Self:
        """The timeline with one more record."""
        return type(self)([*self._known.values(), experiment])

    def at(self, timestamp_ms: float) -> Experiment | None:
        """The version in force for an image with this broker timestamp; None before the first."""
        index = bisect_right(self._starts, timestamp_ms)
        return self._line[index - 1] if index else None

    @property
    def line(self) -> list[Experiment]:
        """The versions that take effect, in that order; the last one may lie in the future."""
        return list(self._line)

    def versions(self, name: str) -> list[Experiment]:
        """All versions of one experiment, void ones too, oldest first."""
        return sorted((found for found in self._known.values() if found.name == name), key=lambda found: found.version)

    def names(self) -> list[str]:
        """Names of all experiments ever defined, in alphabetical order."""
        return sorted({found.name for found in self._known.values()})

    def is_void(self, experiment: Experiment) -> bool:
        """Whether this version never takes effect."""
        return self._effective.get(experiment.id) != experiment

    def _draw(self) -> None:
        for version in self._known.values():
            if _follows(version, self._line[-1] if self._line else None):
                self._line.append(version)
                self._effective[version.id] = version
                self._starts.append(version.effective_at.timestamp() * 1000)


def _follows(version: Experiment, current: Experiment | None) -> bool:
    if current is None:
        return version.status == "running"
    if version.effective_at < current.effective_at:
        return False
    if version.name == current.name:
        return version.version > current.version
    return version.status == "running" and current.status == "stopped"
