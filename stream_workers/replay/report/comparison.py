"""The numbers of a report."""

import heapq
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas.prediction import Answer, Prediction
from stream_workers.replay.report.results import Pair

FAILED = "failed"
MOST = 24
"""How many of the most changed images are shown."""


class Changed(NamedTuple):
    """One image and how far its answer moved. Sorts by that."""

    distance: float
    image_id: str
    pair: Pair


@dataclass
class Comparison:
    """Two sets of answers to the same images.

    What counts as an answer is the label shown: `Answer.shown`, or `failed`.
    """

    images: int = 0
    missing: int = 0
    """Images of the run without a result on the other side."""
    matrix: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Label before to label after to number of images."""
    shifts: list[float] = field(default_factory=list)
    """Confidence after minus before, where both answered."""
    labelled: int = 0
    """Images that a person labelled."""
    right_before: int = 0
    right_after: int = 0
    models_before: Counter[str] = field(default_factory=Counter)
    """`model@version` to images that it answered."""
    models_after: Counter[str] = field(default_factory=Counter)
    verdicts_before: Counter[str] = field(default_factory=Counter)
    """Verdict, or `failed`, to number of images."""
    verdicts_after: Counter[str] = field(default_factory=Counter)
    most: list[Changed] = field(default_factory=list)
    """The most changed, the farthest first."""

    @classmethod
    def of(cls, pairs: Iterable[Pair | None]) -> "Comparison":
        """Compare all pairs in one pass."""
        found = cls()
        for pair in pairs:
            if pair is None:
                found.missing += 1
            else:
                found._add(pair)
        found.most.sort(reverse=True)
        return found

    @property
    def agreement(self) -> float | None:
        """Share of images that show the same label."""
        same = sum(row[label] for label, row in self.matrix.items())
        return _share(same, self.images)

    @property
    def accuracy_before(self) -> float | None:
        """Share of the labelled images that showed a person's label."""
        return _share(self.right_before, self.labelled)

    @property
    def accuracy_after(self) -> float | None:
        """The same for the run."""
        return _share(self.right_after, self.labelled)

    @property
    def shift(self) -> dict[str, float]:
        """Mean and deciles 1, 5 and 9 of the confidence's shift; empty for less than two images."""
        if len(self.shifts) < 2:
            return {}
        deciles = statistics.quantiles(self.shifts, n=10, method="inclusive")
        numbers = {"mean": statistics.fmean(self.shifts), "p10": deciles[0], "median": deciles[4], "p90": deciles[8]}
        return {name: round(number, 6) for name, number in numbers.items()}

    @property
    def labels(self) -> list[str]:
        """All labels that occur, in alphabetical order."""
        return sorted(self.matrix.keys() | {label for row in self.matrix.values() for label in row})

    def as_json(self, run: str, against: str) -> dict[str, Any]:
        """The object of `--json`; `changes` also holds what stayed the same, so it sums to `images`."""
        return {
            "run": run,
            "against": against,
            "images": self.images,
            "agreement": self.agreement,
            "changes": {before: dict(sorted(row.items())) for before, row in sorted(self.matrix.items())},
            "accuracy_before": self.accuracy_before,
            "accuracy_after": self.accuracy_after,
        }

    def _add(self, pair: Pair) -> None:
        before, after = shown(pair.before), shown(pair.after)
        self.images += 1
        self.matrix[before][after] += 1
        self.verdicts_before[_verdict(pair.before)] += 1
        self.verdicts_after[_verdict(pair.after)] += 1
        for prediction, models in ((pair.before, self.models_before), (pair.after, self.models_after)):
            if prediction.answer:
                models[prediction.answer.model_id] += 1
        if pair.before.answer and pair.after.answer:
            self.shifts.append(pair.after.answer.confidence - pair.before.answer.confidence)
        if pair.truth:
            self.labelled += 1
            self.right_before += before == pair.truth
            self.right_after += after == pair.truth
        changed = Changed(distance(pair.before, pair.after), pair.after.image_id, pair)
        if changed.distance > 0:
            (heapq.heappush if len(self.most) < MOST else heapq.heappushpop)(self.most, changed)


def shown(prediction: Prediction) -> str:
    """The label that the user sees."""
    return prediction.answer.shown if prediction.answer else FAILED


def distance(before: Prediction, after: Prediction) -> float:
    """Total variation distance, 0 to 1, between two answers as distributions over all that may be shown."""
    if before.answer is None or after.answer is None:
        return float(shown(before) != shown(after))
    shares = zip(_distribution(before.answer), _distribution(after.answer), strict=True)
    return round(sum(abs(one - other) for one, other in shares) / 2, 6)


def _distribution(answer: Answer) -> list[float]:
    return [*(answer.gate * share for share in (*answer.probabilities, answer.other)), 1 - answer.gate]


def _verdict(prediction: Prediction) -> str:
    return prediction.answer.verdict if prediction.answer else FAILED


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
