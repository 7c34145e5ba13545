"""Which counters a prediction moves, and by how much."""

from bisect import bisect_right
from functools import lru_cache
from typing import Final

from result_sink.settings import SinkSettings
from schemas import counters
from schemas.prediction import Answer, Prediction

FAILED: Final = "failed"
"""What is shown instead of a label where there is no answer."""

_BINS: Final = {name: [f"{name}:{index}" for index in range(len(edges) - 1)] for name, edges in counters.EDGES.items()}


def shown(answer: Answer | None) -> str:
    """What counts as the answer: `Answer.shown`, or `failed`."""
    return FAILED if answer is None else answer.shown


def fields(prediction: Prediction, done_at_ms: int) -> list[str]:
    """Counter fields (`schemas.counters`) that one prediction moves by one; the script adds the latency's sum."""
    answer = prediction.answer
    if answer is None:
        return [counters.FAILED]
    label = shown(answer)
    found = [
        counters.IMAGES,
        f"{counters.VERDICT}:{answer.verdict}",
        f"{counters.LABEL}:{label}",
        counters.arm_scope(prediction.experiment, prediction.experiment_version, answer.arm),
        f"{counters.MODEL}:{answer.model_id}",
        bin_field(counters.CONFIDENCE, answer.confidence),
        bin_field(counters.LATENCY, done_at_ms - prediction.source.timestamp_ms),
    ]
    if prediction.unauthenticated:
        found.append(counters.UNAUTHENTICATED)
    if (features := prediction.features) is not None:
        found += [
            bin_field(counters.BRIGHTNESS, features.brightness),
            bin_field(counters.CONTRAST, features.contrast),
            bin_field(counters.RED, features.red),
            bin_field(counters.GREEN, features.green),
            bin_field(counters.BLUE, features.blue),
        ]
    if (unserved := prediction.unserved) is not None:
        found.append(f"{counters.UNSERVED}:{unserved.experiment}:{unserved.experiment_version}:{unserved.arm}")
    return found + [f"{counters.SHADOW}:{shadow.arm}:{label}:{shown(shadow)}" for shadow in prediction.shadows]


def bin_field(histogram: str, value: float) -> str:
    """Field of the bin that holds the value; the outer bins hold what lies outside."""
    names = _BINS[histogram]
    return names[min(max(bisect_right(counters.EDGES[histogram], value) - 1, 0), len(names) - 1)]


class CounterSets:
    """The hashes a photograph counts in, as the script takes them: a line `<expiry, s> <key>` each.

    A bucket expires when the first photograph of it would: so a rebuild from the log never finds half of one.
    """

    def __init__(self, settings: SinkSettings) -> None:
        self._hours_s = int(settings.retention_days * 86400)
        self._minutes_s = int(settings.minute_hours * 3600)
        self._live = lru_cache(maxsize=4096)(self._lines)

    def live(self, prediction: Prediction) -> str:
        """Minute and hour, of everything and of the arm; with a camera that is authenticated, its hours as well."""
        arm = prediction.answer.arm if prediction.answer else None
        minute = prediction.source.timestamp_ms // 60_000 * 60_000
        camera = None if prediction.unauthenticated else prediction.camera
        return self._live(minute, prediction.experiment, prediction.experiment_version, arm, camera)

    def of_run(self, run: str, done_at: int) -> str:
        """A replay run counts apart, and as a whole; it expires after the hour of its last prediction."""
        return f"{(done_at // 3_600_000 + 1) * 3600 + self._hours_s} {counters.run_counters_key(run)}"

    def _lines(
        self, minute_ms: int, experiment: str | None, version: int | None, arm: str | None, camera: str | None
    ) -> str:
        hour = minute_ms // 3_600_000 * 3600
        scopes = [counters.ALL, counters.arm_scope(experiment, version, arm)]
        lines = [
            f"{minute_ms // 1000 + self._minutes_s} {counters.bucket_key('minute', minute_ms, scope)}"
            for scope in scopes
        ]
        if camera is not None:
            scopes += [counters.camera_scope(camera), counters.arm_scope(experiment, version, arm, camera)]
        lines += [f"{hour + self._hours_s} {counters.bucket_key('hour', minute_ms, scope)}" for scope in scopes]
        return "\n".join(lines)
