"""What the shadows said of the photographs that others answered."""

from pydantic import BaseModel

from producer_api.analytics.arms import Matrix, matrix
from producer_api.analytics.bucket import Counts
from producer_api.analytics.proportions import Paired, Share, paired, share
from schemas import counters


class ShadowReport(BaseModel):
    """A shadow against what was shown for the same photographs."""

    name: str
    images: int
    agree: Share
    disagreement: Matrix
    """Shown label to the shadow's label to number."""
    healthy: Paired
    """Whether they call plants healthy equally often (first: what was shown)."""
    correct: Paired
    """Whether they are right equally often, where there is feedback (first: what was shown)."""


def shadow_reports(counts: Counts) -> list[ShadowReport]:
    """All shadows over all arms."""
    reports = []
    for name in sorted({field[1] for field in counts if field[0] == counters.SHADOW}):
        table = matrix(counts, counters.SHADOW, name)
        images = sum(sum(row.values()) for row in table.values())
        agree = sum(row.get(label, 0) for label, row in table.items())
        both = table.get("healthy", {}).get("healthy", 0)
        shown = sum(table.get("healthy", {}).values())
        shadow = sum(row.get("healthy", 0) for row in table.values())
        healthy = paired(both, shown - both, shadow - both, images - shown - shadow + both)
        right = (counts[counters.SHADOW_RIGHT, name, *cell] for cell in ("11", "10", "01", "00"))
        reports.append(
            ShadowReport(
                name=name,
                images=images,
                agree=share(agree, images),
                disagreement=table,
                healthy=healthy,
                correct=paired(*right),
            )
        )
    return reports
