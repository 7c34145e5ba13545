"""From records to answers: read, assign, decode, compute. Whatever a picture does ends as its own failure."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

from tenacity import AsyncRetrying, stop_after_attempt, wait_exponential

from schemas.broker_time import time_of
from schemas.errors import EventError, ImageError, ModelError
from schemas.image import ImageEvent
from schemas.prediction import UnservedArm
from stream_workers import metrics
from stream_workers.answers import answers
from stream_workers.assignment import Assignment, Variant
from stream_workers.decoding import decode
from stream_workers.models import Model, Registry
from stream_workers.photograph import Photograph

log = logging.getLogger(__name__)

Route = Callable[[ImageEvent, int], Assignment]
"""Image event and its broker timestamp, ms -> who computes it."""


class Diagnosis:
    """The work on photographs, live or replayed: `route` chooses the models."""

    def __init__(
        self, registry: Registry, route: Route, *, attempts: int, broker_time: bool = True, stand_ins: bool = True
    ) -> None:
        """Without `stand_ins` an image fails whose model can't be served, instead of being answered by another."""
        self._registry = registry
        self._route = route
        self._attempts = attempts
        self._broker_time = broker_time
        self._stand_ins = stand_ins
        self._logged: set[UnservedArm] = set()

    async def assign(self, photographs: Sequence[Photograph]) -> None:
        """Read the events and find their models, loading what is not loaded yet."""
        for photograph in photographs:
            try:
                image = self._read(photograph)
                if not photograph.failure:
                    await self._find_models(photograph, self._route(image, photograph.timestamp_ms))
            except EventError as error:
                photograph.fail("unprocessable", error)
            except ModelError as error:
                photograph.fail("failed", error)

    def _read(self, photograph: Photograph) -> ImageEvent:
        """Read the event, and find the record's time: the embedded broker has none. Raises EventError."""
        stamped, appended = photograph.timestamp_ms, photograph.appended
        photograph.timestamp_ms = time_of(stamped if self._broker_time else None, appended=appended, said=None)
        photograph.image = image = ImageEvent.read(photograph.key, photograph.value, photograph.headers)
        if self._broker_time:
            photograph.timestamp_ms = time_of(stamped, appended=appended, said=image.accepted_at)
        else:
            photograph.timestamp_ms = time_of(int(image.accepted_at.timestamp() * 1000), appended=True, said=None)
        return image

    async def _find_models(self, photograph: Photograph, assignment: Assignment) -> None:
        """Set the assignment that can be kept, and its models. Raises ModelError where no model at all can be served.

        A version that can't be served is never answered for under its name: the image leaves the experiment.
        """
        answering = assignment.answering
        try:
            model = await self._registry.get(answering.model, answering.version)
        except ModelError as error:
            if not self._stand_ins:
                raise
            model = await self._registry.stand_in(answering.model)
            assignment = assignment.outside(model.card.name, model.card.version)
            self._count_outside(assignment, error)
        photograph.assignment = assignment
        photograph.models = [(assignment.answering, model)]
        for shadow in assignment.shadows:
            with suppress(ModelError):  # the registry said why
                photograph.models.append((shadow, await self._registry.get(shadow.model, shadow.version)))

    def _count_outside(self, assignment: Assignment, reason: ModelError) -> None:
        """Count an image that is answered outside of its experiment; log each arm once."""
        if (unserved := assignment.unserved) is None:
            return
        metrics.OUTSIDE.labels(unserved.experiment, unserved.arm, unserved.model, unserved.version).inc()
        if unserved not in self._logged:
            self._logged.add(unserved)
            log.error(
                "images of %s@%d, arm %s, are answered outside of the experiment by %s@%s: %s",
                unserved.experiment,
                unserved.experiment_version,
                unserved.arm,
                assignment.answering.model,
                assignment.answering.version,
                reason.advice,
            )

    def decode(self, photographs: Sequence[Photograph]) -> None:
        """Decode in the sizes the models need; runs in a thread."""
        for photograph in photographs:
            if photograph.image is None or photograph.failure:
                continue
            try:
                for px in {model.card.preprocessing.px: None for _, model in photograph.models}:
                    photograph.decoded[px] = decode(photograph.image.jpeg, px)
                    photograph.features = photograph.features or photograph.decoded[px].features
            except ImageError as error:
                photograph.fail("unprocessable", error)
            except Exception as error:  # a decoder's own bug, on one picture, must not stop the others
                log.exception("%s can't be decoded", photograph.position)
                photograph.fail("unprocessable", error)

    async def compute(self, photographs: Sequence[Photograph]) -> None:
        """Compute each model's share in one batch, the models side by side."""
        shares: dict[Model, list[tuple[Photograph, Variant]]] = defaultdict(list)
        for photograph in photographs:
            if not photograph.failure:
                for variant, model in photograph.models:
                    shares[model].append((photograph, variant))
        await asyncio.gather(*(self._compute(model, share) for model, share in shares.items()))
        for photograph in photographs:
            photograph.decoded.clear()

    async def _compute(self, model: Model, share: list[tuple[Photograph, Variant]]) -> None:
        try:
            await self._answer(model, share)
        except Exception:
            log.exception("%s failed on %d photographs, they are computed one by one", model.card.id, len(share))
            for job in share:
                await self._compute_alone(model, job)

    async def _compute_alone(self, model: Model, job: tuple[Photograph, Variant]) -> None:
        photograph, variant = job
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(self._attempts), wait=wait_exponential(0.05, max=1), reraise=True
            ):
                with attempt:
                    await self._answer(model, [job])
        except Exception as error:  # noqa: BLE001  after capped retries it is a dead letter
            if photograph.assignment and variant == photograph.assignment.answering:
                photograph.fail("failed", f"{model.card.id}: {error!r}")

    async def _answer(self, model: Model, share: list[tuple[Photograph, Variant]]) -> None:
        px = model.card.preprocessing.px
        outputs, milliseconds = await model.infer([photograph.decoded[px] for photograph, _ in share])
        arms = [variant.arm for _, variant in share]
        made = answers(model.card, model.engine.name, arms, outputs, milliseconds)
        for (photograph, variant), answer in zip(share, made, strict=True):
            photograph.answers[variant.arm] = answer
