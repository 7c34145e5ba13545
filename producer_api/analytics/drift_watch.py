"""Drift as Prometheus gauges, measured again every minute."""

import asyncio
import logging
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from producer_api.analytics.answers import Answers
from producer_api.analytics.counts import CounterStore
from producer_api.analytics.drift import drift
from producer_api.analytics.window import Window
from producer_api.background import Background
from producer_api.experiments.register import Register
from producer_api.metrics import DRIFT, DRIFT_IMAGES
from schemas.errors import LeafError

log = logging.getLogger(__name__)

WINDOW: Final = timedelta(hours=24)
EVERY_SECONDS: Final = 60


class DriftWatch(Background):
    """Measures the last 24 hours in the background. Survives Kafka and Redis away: the gauges then stand still."""

    def __init__(self, answers: Answers, register: Register, store: CounterStore, models: Path) -> None:
        self._answers = answers
        self._register = register
        self._store = store
        self._models = models
        self._told: set[tuple[str, str, str]] = set()

    def measure(self) -> None:
        """Once. Raises a LeafError where Kafka or Redis does not answer."""
        now = datetime.now(UTC)
        experiment = self._register.timeline().at(now.timestamp() * 1000)
        if experiment is None:
            return
        found = drift(self._store, experiment, self._models, Window.of(now - WINDOW, now, "hour"))
        images, indices = {}, {}
        for feature in found.features:
            labels = feature.feature, feature.arm or "", feature.model
            images[labels] = feature.images
            indices[labels] = feature.psi if feature.level != "too_few" else math.nan
        for labels in self._told | images.keys():  # `clear` does nothing where several processes share a port
            DRIFT_IMAGES.labels(*labels).set(images.get(labels, 0))
            DRIFT.labels(*labels).set(indices.get(labels, math.nan))
        self._told |= images.keys()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self._answers.run(self.measure)
            except LeafError as error:
                log.warning("drift can't be measured just now: %s", error)
