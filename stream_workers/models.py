"""The models a worker holds: loaded, checked, tested and warm before they serve, swapped while others serve on."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from schemas.card import CARD_FILE, ModelCard
from schemas.errors import ConfigurationError, LeafError, ModelError
from stream_workers import metrics
from stream_workers.decoding import Decoded
from stream_workers.engines import Engine, Outputs
from stream_workers.engines.engine import warm_up

log = logging.getLogger(__name__)

MAX_LOADED = 12
"""An experiment's eight arms and four shadows; the least recently used goes, and is loaded again when needed."""

Loader = Callable[[Path, ModelCard], Engine]
Key = tuple[str, str]
"""Name and version."""


class Refusal(NamedTuple):
    """Why a version is not served, in words."""

    reason: str
    remedy: str

    def error(self) -> ModelError:
        """An exception of its own for everyone who asks."""
        return ModelError(self.reason, self.remedy)


@dataclass(frozen=True, eq=False)
class Model:
    """A serving model: its card, its engine, and the one thread that computes."""

    card: ModelCard
    engine: Engine
    thread: ThreadPoolExecutor

    async def infer(self, images: list[Decoded]) -> tuple[Outputs, float]:
        """Compute decoded images in slices of the engine's ceiling; also returns the milliseconds it took."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, self._infer, images)

    def _infer(self, images: list[Decoded]) -> tuple[Outputs, float]:
        start, ceiling = time.perf_counter(), self.engine.ceiling
        parts = [images[at : at + ceiling] for at in range(0, len(images), ceiling)]
        slices = [
            self.engine.infer(np.stack([one.pixels for one in part]), [one.larger for one in part]) for part in parts
        ]
        joined = slices[0] if len(slices) == 1 else Outputs(*map(np.concatenate, zip(*slices, strict=True)))
        seconds = time.perf_counter() - start
        metrics.INFERENCE.labels(self.card.name, self.card.version, self.engine.name).observe(seconds)
        return joined, seconds * 1000


class Registry:
    """Models by name and version.

    1. `get` gives the version that is asked for and no other. One that can't be loaded or fails its self-test is
       refused, once and loudly, until the next `reload` or `try_again`; asking for it raises the reason.
    2. Where no version is named it gives the newest that can be loaded; `stand_in` gives a model for one that can't.
    3. A version that is replaced serves until the new one is warm.

    Only the reason of a refusal is kept, never the exception: raised again it would grow with each image.
    """

    def __init__(self, directory: Path, loader: Loader) -> None:
        self._directory = directory
        self._loader = loader
        self._models: dict[Key, Model] = {}
        self._refused: dict[Key, Refusal] = {}
        self._newest: dict[str, str] = {}
        self._locks: defaultdict[Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, name: str, version: str | None = None) -> Model:
        """Exactly this version, loaded if it is not yet; for none the newest that can be served, as of the last reload.

        Raises ModelError where it can't be served.
        """
        if version is not None:
            return await self._exactly(name, version)
        with suppress(KeyError, ModelError):
            return await self._exactly(name, self._newest[name])
        return await self._find_newest(name)

    async def stand_in(self, name: str) -> Model:
        """What answers where a version can't: the model's newest loaded, or that loads, else that of another model.

        Raises ModelError where nothing can be served.
        """
        if loaded := [version for model, version in self._models if model == name]:
            return await self.get(name, max(loaded, key=_age))
        refused = ""
        for candidate in dict.fromkeys([name, *self._names()]):
            try:
                return await self.get(candidate)
            except ModelError as error:
                refused = refused or error.advice
        msg = f"no model can be served from {self._directory}: {refused}"
        raise ModelError(msg, "Export the models again, or set LEAF_WORKER_MODELS.")

    async def try_again(self, name: str, version: str) -> None:
        """Load a version from its files as they are now, refused before or not. Raises ModelError with the reason."""
        if (name, version) in self._models:
            await asyncio.to_thread(ModelCard.load, self._directory / name / version)
        else:
            self._forget(name, version)
            await self.get(name, version)

    def loaded(self) -> list[ModelCard]:
        """Cards of what could serve at once."""
        return [model.card for model in self._models.values()]

    def names(self) -> list[str]:
        """Models that have a directory. Raises ConfigurationError where there is none."""
        names = self._names()
        if not names:
            msg = f"there is no model in {self._directory}"
            raise ConfigurationError(msg, "Train and export one with `make train`, or set LEAF_WORKER_MODELS.")
        return names

    async def prepare(self, wanted: Iterable[Key]) -> None:
        """Load these beside the ones that serve; what is refused was said then."""
        await asyncio.gather(*(self.get(name, version) for name, version in wanted), return_exceptions=True)

    async def reload(self) -> None:
        """Look at the directory again: retry what was refused, replace what changed, load newer versions."""
        for key in list(self._refused):
            self._forget(*key)
        for (name, version), model in list(self._models.items()):
            try:
                changed = await asyncio.to_thread(ModelCard.load, self._directory / name / version) != model.card
            except ModelError as error:
                log.error("%s@%s is kept as loaded: %s %s", name, version, error, error.remedy)
                continue
            if changed:
                async with self._locks[name, version]:
                    await self._load(name, version)
        for name in {name for name, _ in self._models} | self._newest.keys():
            with suppress(ModelError):
                await self._find_newest(name)

    async def _exactly(self, name: str, version: str) -> Model:
        wanted = (name, version)
        if wanted not in self._models:
            async with self._locks[wanted]:
                if wanted not in self._models and wanted not in self._refused:
                    await self._load(*wanted)
        if model := self._models.pop(wanted, None):
            self._models[wanted] = model  # last in the order: the latest used
            return model
        raise self._refused[wanted].error()

    async def _find_newest(self, name: str) -> Model:
        """The newest version that loads, noted once it is warm: until then the one noted before serves."""
        versions = [path.parent.name for path in self._directory.glob(f"{name}/*/{CARD_FILE}")]
        versions = versions or [version for loaded, version in self._models if loaded == name]
        reasons = []
        for version in sorted(versions, key=_age, reverse=True):
            try:
                model = await self.get(name, version)
            except ModelError as error:
                reasons.append(error.advice)
            else:
                self._newest[name] = version
                return model
        self._newest.pop(name, None)
        msg = " ".join(reasons) or f"there is no model {name!r} in {self._directory}"
        raise ModelError(msg, "Train and export it, or set LEAF_WORKER_MODELS.")

    async def _load(self, name: str, version: str) -> None:
        start = time.perf_counter()
        try:
            model = await asyncio.to_thread(self._warm, self._directory / name / version)
        except LeafError as error:
            if (name, version) not in self._models:  # else what was loaded before serves on
                self._refused[name, version] = Refusal(str(error), error.remedy)
                metrics.REFUSED.labels(name, version).set(1)
            log.error("%s@%s is refused: %s %s", name, version, error, error.remedy)
            return
        self._models[name, version] = model
        while len(self._models) > MAX_LOADED:
            del self._models[next(iter(self._models))]
        log.info("%s@%s serves on %s after %.1f s", name, version, model.engine.name, time.perf_counter() - start)

    def _forget(self, name: str, version: str) -> None:
        """Let a refused version be tried again."""
        if self._refused.pop((name, version), None):
            metrics.REFUSED.labels(name, version).set(0)

    def _names(self) -> list[str]:
        return sorted({path.parent.parent.name for path in self._directory.glob(f"*/*/{CARD_FILE}")})

    def _warm(self, directory: Path) -> Model:
        card = ModelCard.load(directory)
        try:
            engine = self._loader(directory, card)
            self_test(engine, card)
            warm_up(engine, card.preprocessing.px)
        except LeafError:
            raise
        except Exception as error:
            msg = f"{card.id} does not compute: {error}"
            raise ModelError(msg, "Export the model again.") from error
        return Model(card, engine, ThreadPoolExecutor(1, thread_name_prefix=card.id))


def self_test(engine: Engine, card: ModelCard) -> None:
    """Compute two different pictures together. Raises ModelError where shapes or numbers can't be an answer."""
    px = card.preprocessing.px
    noise = np.random.default_rng(0).integers(0, 256, (px, px, 3), np.uint8)
    logits, gate, evidence = engine.infer(np.stack([np.zeros_like(noise), noise]))
    classes = len(card.labels)
    if logits.shape != (2, classes) or gate.shape != (2,) or evidence.shape[::3] != (2, classes):
        msg = f"{card.id} answers in shapes {logits.shape}, {gate.shape}, {evidence.shape}"
        raise ModelError(msg, "Export the model again.")
    if not all(np.isfinite(numbers).all() for numbers in (logits, gate, evidence)):
        msg = f"{card.id} answers with numbers that are not finite"
        raise ModelError(msg, "Export the model again.")
    if np.allclose(logits[0], logits[1]):
        msg = f"{card.id} answers alike whatever the picture"
        raise ModelError(msg, "Export the model again.")


def _age(version: str) -> list[tuple[int, str]]:
    """Sorts versions: 2 before 10, 1.9 before 1.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in version.split(".")]
