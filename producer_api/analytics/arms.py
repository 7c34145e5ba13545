"""What each arm of an experiment did: labels, confidence, latency, accuracy."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel

from producer_api.analytics.bucket import Counts
from producer_api.analytics.percentiles import percentile
from producer_api.analytics.proportions import Share, ratio_mismatch, share
from schemas import counters
from schemas.experiment import Arm, Experiment
from schemas.labels import NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM, OUTPUTS

Matrix = dict[str, dict[str, int]]
"""Row to column to number."""


class Latency(BaseModel):
    """Time from image to prediction in the log, ms; from a histogram with bins of 12 %."""

    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class ArmReport(BaseModel):
    """One arm over the window."""

    name: str
    model: str
    version: str
    weight: float
    images: int
    answered_by: dict[str, int] = {}
    """`model@version` to images that it answered."""
    expected: float
    """Images that the weights of each version promised it."""
    labels: dict[str, int]
    """What was shown: one of the ten, `other_tomato_problem`, or `not_tomato_leaf`."""
    likely: Share
    uncertain: Share
    other: Share
    """Shown as a tomato leaf with none of the ten problems."""
    rejected: Share
    """Shown as no tomato leaf."""
    confidence: list[int]
    """Histogram in steps of 0.05."""
    latency: Latency
    accuracy: Share
    """Of the photographs with feedback, how many were shown the true label."""
    confusion: Matrix
    """Shown label to true label to number."""


def arms_of(versions: Sequence[Experiment]) -> list[Arm]:
    """The arms of all versions by name, the newest definition of each; the newest version's control comes first."""
    arms = {arm.name: arm for version in versions for arm in version.arms}
    newest = [arm.name for arm in versions[-1].arms]
    return [arms[name] for name in [*newest, *(name for name in arms if name not in newest)]]


def scopes_of(version: Experiment, camera: str | None) -> dict[str | None, str]:
    """Counter scopes by arm; arm None holds the failures."""
    return {
        arm: counters.arm_scope(version.name, version.version, arm, camera)
        for arm in [*(arm.name for arm in version.arms), None]
    }


def arm_reports(versions: Sequence[Experiment], found: Mapping[tuple[int, str | None], Counts]) -> list[ArmReport]:
    """Each arm, summed over the versions."""
    reports = []
    for arm in arms_of(versions):
        counts: Counts = Counter()
        expected = 0.0
        for version in versions:
            counts.update(found.get((version.version, arm.name), {}))
            weight = next((one.weight for one in version.arms if one.name == arm.name), 0)
            expected += weight * sum(_images(found, version))
        reports.append(_arm_report(arm, counts, expected))
    return reports


def ratio(versions: Iterable[Experiment], found: Mapping[tuple[int, str | None], Counts]) -> float | None:
    """p-value of the sample ratio over all versions that ran and drew each image for itself.

    Images of one uploader or camera share their draw, so that a few busy ones unbalance arms that are drawn rightly.
    """
    return ratio_mismatch(
        [
            (_images(found, version), [arm.weight for arm in version.arms])
            for version in versions
            if version.status == "running" and version.sticky_key == "image"
        ]
    )


def latency(counts: Counts) -> Latency:
    """Mean and percentiles."""
    edges, images = counters.EDGES[counters.LATENCY], counts[counters.IMAGES,]
    found = [*counters.bins(counts, counters.LATENCY), 0]
    p50, p95, p99 = (percentile(edges[1:], found, part) for part in (0.5, 0.95, 0.99))
    return Latency(mean=counts[counters.LATENCY_SUM,] / images if images else None, p50=p50, p95=p95, p99=p99)


def accuracy(counts: Counts) -> tuple[int, int]:
    """Photographs whose feedback says the shown label, and photographs with feedback."""
    told = {field: number for field, number in counts.items() if field[0] == counters.FEEDBACK}
    return sum(number for (_, shown, true), number in told.items() if shown == true), sum(told.values())


def matrix(counts: Counts, *prefix: str) -> Matrix:
    """Fields `prefix:row:column` as rows of columns."""
    matrix: Matrix = {}
    for field, number in sorted(counts.items()):
        if field[: len(prefix)] == prefix and number:
            row, column = field[len(prefix) :]
            matrix.setdefault(row, {})[column] = number
    return matrix


def _images(found: Mapping[tuple[int, str | None], Counts], version: Experiment) -> list[int]:
    return [found[version.version, arm.name][counters.IMAGES,] for arm in version.arms]


def _arm_report(arm: Arm, counts: Counts, expected: float) -> ArmReport:
    images = counts[counters.IMAGES,]
    shown = {label: counts[counters.LABEL, label] for label in [*OUTPUTS, NOT_TOMATO_LEAF]}
    return ArmReport(
        **arm.model_dump(),
        images=images,
        answered_by={field[1]: number for field, number in sorted(counts.items()) if field[0] == counters.MODEL},
        expected=expected,
        labels={label: number for label, number in shown.items() if number},
        likely=share(counts[counters.VERDICT, "likely"], images),
        uncertain=share(counts[counters.VERDICT, "uncertain"], images),
        other=share(counts[counters.VERDICT, OTHER_TOMATO_PROBLEM], images),
        rejected=share(counts[counters.VERDICT, NOT_TOMATO_LEAF], images),
        confidence=counters.bins(counts, counters.CONFIDENCE),
        latency=latency(counts),
        accuracy=share(*accuracy(counts)),
        confusion=matrix(counts, counters.FEEDBACK),
    )
