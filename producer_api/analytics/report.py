"""What an experiment says, all in one."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel

from producer_api.analytics.arms import ArmReport, arm_reports, ratio, scopes_of
from producer_api.analytics.bucket import Counts
from producer_api.analytics.comparison import Comparison, compare
from producer_api.analytics.counts import CounterStore
from producer_api.analytics.shadows import ShadowReport, shadow_reports
from producer_api.analytics.window import Window
from producer_api.experiments.register import History
from schemas import counters
from schemas.experiment import Experiment

MISMATCH: Final = 0.001
"""Below this p-value the arms' shares are not what the weights promised."""
LATE: Final = timedelta(hours=1)
"""For so long a worker that has not heard of a new version may go on with the old one."""


class Report(BaseModel):
    """Body of GET /analytics/experiments/{name}."""

    name: str
    state: Literal["running", "stopped"]
    window: Window
    camera: str | None
    complete_since: AwareDatetime | None
    images: int
    failed: int
    unserved: dict[str, int]
    """Arm to images that it should have answered: the workers could not load its model version, so that another one
    answered them outside of the experiment. They count in no arm."""
    arms: list[ArmReport]
    comparisons: list[Comparison]
    shadows: list[ShadowReport]
    ratio_p_value: float | None
    """That the arms got what the weights promised; null: too few images to tell, or none that was drawn by itself."""
    ratio_mismatch: bool
    """Something is broken, and the comparisons can't be trusted."""
    effect: float


def report(history: History, store: CounterStore, window: Window, camera: str | None, effect: float) -> Report:
    """Read the counters of every version and judge them. Raises StoreUnavailableError."""
    versions = [version for version in history.versions if version.version not in history.void]
    found = _found(versions, store, window, camera)
    together: Counts = sum(found.values(), start=Counts())
    arms = arm_reports(versions, found)
    p_value = ratio(versions, found)
    return Report(
        name=history.name,
        state=history.state,
        window=window,
        camera=camera,
        complete_since=store.totals().complete_since,
        images=together[counters.IMAGES,],
        failed=together[counters.FAILED,],
        unserved=_unserved(history.name, store, window, camera),
        arms=arms,
        comparisons=compare(arms, effect, shared_draws=any(version.sticky_key != "image" for version in versions)),
        shadows=shadow_reports(together),
        ratio_p_value=p_value,
        ratio_mismatch=p_value is not None and p_value < MISMATCH,
        effect=effect,
    )


def _unserved(name: str, store: CounterStore, window: Window, camera: str | None) -> dict[str, int]:
    scope = counters.ALL if camera is None else counters.camera_scope(camera)
    found: Counter[str] = Counter()
    for field, number in store.sum(window, [scope]).get(scope, {}).items():
        if field[:2] == (counters.UNSERVED, name):
            found[field[3]] += number
    return dict(sorted(found.items()))


def _found(
    versions: Sequence[Experiment], store: CounterStore, window: Window, camera: str | None
) -> dict[tuple[int, str | None], Counts]:
    """Counters by version and arm; each version is read for its own time only, and an hour of late hearing."""
    found: dict[tuple[int, str | None], Counts] = {}
    for version, following in zip(versions, [*versions[1:], None], strict=True):
        scopes = scopes_of(version, camera)
        life = window.within(version.effective_at, following.effective_at + LATE if following else None)
        summed = store.sum(life, scopes.values()) if life else {}
        found |= {(version.version, arm): summed.get(scope, Counter()) for arm, scope in scopes.items()}
    return found
