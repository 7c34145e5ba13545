"""Names of what the sink keeps in Redis beside the results: counters, camera and run views, feedback, offsets.

Every counter is a hash of the same fields. There is one for each step of time and each scope that a photograph falls
in, so that analytics reads any range by adding hashes. A photograph's time is the broker timestamp of its image event.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, Literal

Step = Literal["minute", "hour"]
STEP_SECONDS: Final[dict[Step, int]] = {"minute": 60, "hour": 3600}

ALL: Final = "all"
"""Scope of every photograph."""
NO_ARM: Final = "-"
"""Stands for the experiment or arm where there is none: outside of experiments, and in failures."""

#: Fields with one number.
IMAGES: Final = "images"
"""Photographs with an answer."""
FAILED: Final = "failed"
"""Photographs whose result is a failure."""
UNAUTHENTICATED: Final = "unauthenticated"
"""Photographs under a camera's name that is only what a client said who did not authenticate. They count in no camera's
scope."""
LATENCY_SUM: Final = "latency_ms"
"""Sum over `images` of the time from image to prediction in the log. Divided by the bucket's length it is the mean
backlog, number of photographs waiting or in work (Little 1961, L = lambda W)."""

#: Fields `name:value`, a histogram each that sums to `images`.
VERDICT: Final = "verdict"
LABEL: Final = "label"
"""The label shown: `Answer.shown`."""
ARM: Final = "arm"
"""`arm:<experiment>:<version>:<arm>`."""
MODEL: Final = "model"
"""`model:<name>@<version>`: which model version answered."""
CONFIDENCE: Final = "confidence"
LATENCY: Final = "latency"
BRIGHTNESS: Final = "brightness"
CONTRAST: Final = "contrast"
RED: Final = "red"
GREEN: Final = "green"
BLUE: Final = "blue"

#: Fields with two or three values.
FEEDBACK: Final = "feedback"
"""`feedback:<label shown>:<true label>`."""
SHADOW: Final = "shadow"
"""`shadow:<shadow arm>:<label shown>:<shadow's label>`."""
SHADOW_RIGHT: Final = "shadow_right"
"""`shadow_right:<shadow arm>:<1 or 0>:<1 or 0>`: of those with feedback, whether what was shown is right, and the
shadow's label."""

UNSERVED: Final = "unserved"
"""`unserved:<experiment>:<version>:<arm>`: answered outside of the experiment, since the workers could not load the
arm's model version. Not in the arm's own scope."""

EDGES: Final[dict[str, tuple[float, ...]]] = {
    CONFIDENCE: tuple(index / 20 for index in range(21)),
    LATENCY: (0.0, *(round(10 * 2 ** (index / 6), 1) for index in range(121))),
    BRIGHTNESS: tuple(float(edge) for edge in range(0, 257, 16)),
    CONTRAST: tuple(float(edge) for edge in range(0, 129, 8)),
    RED: tuple(float(edge) for edge in range(0, 257, 16)),
    GREEN: tuple(float(edge) for edge in range(0, 257, 16)),
    BLUE: tuple(float(edge) for edge in range(0, 257, 16)),
}
"""Histogram -> edges of its bins: bin i holds edges[i] <= x < edges[i + 1], the first and last also what lies outside.
Latency in ms, 12 % wide bins up to 2.9 hours; the others in the units of `schemas.prediction`. A model card's drift
baselines have edges of their own."""

TOTALS_KEY: Final = "leaf:totals"
"""Hash without expiry: `lost` (records that retention took before the sink read them), `duplicates`, `malformed`, and
`malformed_at`, when the sink last met a record that follows no contract, ms."""
COMPLETE_SINCE_KEY: Final = "leaf:complete_since"
"""Hash, `<topic>:<topic id>:<partition>` -> ms: what is older may be missing. No field: complete from the beginning."""
OFFSETS_KEY: Final = "leaf:offsets"
"""Hash, `<topic>:<topic id>:<partition>` -> offset of the first record that is not applied yet."""
CHANGES_KEY: Final = "leaf:changes"
"""Sorted set: counter hash by the revision of its last change, which rises with each batch that changes any; whoever
remembers hashes asks for those that changed since. It holds the last 10,000, and `-` at revision 0 if that is all."""
CAMERAS_KEY: Final = "leaf:cameras"
"""Sorted set: camera id by the time of its last frame, ms."""
CLAIMED_CAMERAS_KEY: Final = "leaf:cameras:unauthenticated"
"""The same of names in uploads of clients that did not authenticate; they don't move a camera's last frame."""
RUNS_KEY: Final = "leaf:runs"
"""Sorted set: replay run by the time of its last prediction, ms."""


def arm_scope(experiment: str | None, version: int | None, arm: str | None, camera: str | None = None) -> str:
    """Scope of one arm, of one camera if given."""
    scope = f"{ARM}:{experiment or NO_ARM}:{version or 0}:{arm or NO_ARM}"
    return scope if camera is None else f"{scope}:{camera_scope(camera)}"


def camera_scope(camera: str) -> str:
    """Scope of one camera, whatever the arm."""
    return f"camera:{camera}"


def bucket_key(step: Step, timestamp_ms: int, scope: str = ALL) -> str:
    """Counter hash of the minute or hour that holds the time. Minutes know no camera scopes."""
    seconds = STEP_SECONDS[step]
    return f"leaf:{step}:{timestamp_ms // 1000 // seconds * seconds}:{scope}"


def run_counters_key(run: str) -> str:
    """Counter hash of a whole replay run."""
    return f"leaf:run:{run}:counters"


def run_results_key(run: str) -> str:
    """Sorted set of a run's image ids by the time of their image event, ms."""
    return f"leaf:run:{run}:results"


def camera_results_key(camera: str) -> str:
    """Sorted set of a camera's image ids by the time of their image event, ms; those of `claimed_results_key` too."""
    return f"leaf:camera:{camera}:results"


def claimed_results_key(camera: str) -> str:
    """The same, only of uploads under the camera's name by clients that did not authenticate."""
    return f"leaf:camera:{camera}:unauthenticated"


def feedback_key(image_id: str) -> str:
    """Hash of the last feedback on a photograph: `label`, and `feedback`, the event's JSON."""
    return f"leaf:feedback:{image_id}"


def total(hashes: Iterable[Mapping[str, str] | Mapping[bytes, bytes]]) -> Counter[tuple[str, ...]]:
    """Several counter hashes as one, with the fields split: `("images",)`, `("label", "healthy")`, ..."""
    summed: dict[tuple[str, ...], int] = {}
    for counters in hashes:
        for name, count in counters.items():
            field = _split(name)
            summed[field] = summed.get(field, 0) + int(count)
    return Counter(summed)


@lru_cache(maxsize=10_000)
def _split(name: str | bytes) -> tuple[str, ...]:
    return tuple((name if isinstance(name, str) else name.decode()).split(":"))


def bins(summed: Mapping[tuple[str, ...], int], histogram: str) -> list[int]:
    """Counts of one of `EDGES`' histograms, bin by bin."""
    return [summed.get(field, 0) for field in _BINS[histogram]]


_BINS: Final = {name: [(name, str(index)) for index in range(len(edges) - 1)] for name, edges in EDGES.items()}
