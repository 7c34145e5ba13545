"""The models a worker holds: loaded, checked, tested and warm before they serve, swapped while others serve on."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from schemas.card import CARD_FILE, ModelCard
from schemas.errors import ConfigurationError, LeafError, ModelError
from schemas.labels import LABELS
from stream_workers import metrics
from stream_workers.engines import Engine, Outputs
from stream_workers.engines.engine import Images, warm_up

log = logging.getLogger(__name__)

MAX_LOADED = 12
"""An experiment's eight arms and four shadows; the least recently used goes, and is loaded again when needed."""

Loader = Callable[[Path, ModelCard], Engine]


@dataclass(frozen=True, eq=False)
class Model:
    """A serving model: its card, its engine, and the one thread that computes."""

    card: ModelCard
    engine: Engine
    thread: ThreadPoolExecutor

    async def infer(self, images: list[Images]) -> tuple[Outputs, float]:
        """Compute images of [px, px, 3] in slices of the engine's ceiling; also returns the milliseconds it took."""
        return await asyncio.get_running_loop().run_in_executor(self.thread, self._infer, images)

    def _infer(self, images: list[Images]) -> tuple[Outputs, float]:
        start, ceiling = time.perf_counter(), self.engine.ceiling
        slices = [self.engine.infer(np.stack(images[i : i + ceiling])) for i in range(0, len(images), ceiling)]
        joined = slices[0] if len(slices) == 1 else Outputs(*map(np.concatenate, zip(*slices, strict=True)))
        seconds = time.perf_counter() - start
        metrics.INFERENCE.labels(self.card.name, self.card.version, self.engine.name).observe(seconds)
        return joined, seconds * 1000


class Registry:
    """Models by name and version.

    A version that can't be loaded or fails its self-test is refused, once and loudly, and the newest loaded one of the
    same name answers in its place. A version that is replaced serves until the new one is warm.
    """

    def __init__(self, directory: Path, loader: Loader) -> None:
        self._directory = directory
        self._loader = loader
        self._models: dict[tuple[str, str], Model] = {}
        self._refused: dict[tuple[str, str], ModelError] = {}
        self._newest: dict[str, str] = {}
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def get(self, name: str, version: str | None = None) -> Model:
        """The model, loaded if it is not yet; the newest for no version. Raises ModelError where nothing can serve."""
        wanted = (name, version or self._newest_version(name))
        if wanted not in self._models:
            async with self._locks[wanted]:
                if wanted not in self._models and wanted not in self._refused:
                    await self._load(*wanted)
        if model := self._models.pop(wanted, None):
            self._models[wanted] = model  # last in the order: the latest used
            return model
        others = [key for key in self._models if key[0] == name]
        if not others:
            raise self._refused[wanted]
        return self._models[max(others, key=_age)]

    def loaded(self) -> list[ModelCard]:
        """Cards of what could serve at once."""
        return [model.card for model in self._models.values()]

    def names(self) -> list[str]:
        """Models that have a directory. Raises ConfigurationError where there is none."""
        names = sorted({path.parent.parent.name for path in self._directory.glob(f"*/*/{CARD_FILE}")})
        if not names:
            msg = f"there is no model in {self._directory}"
            raise ConfigurationError(msg, "Train and export one with `make train`, or set LEAF_WORKER_MODELS.")
        return names

    async def prepare(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Load these beside the ones that serve; what is refused was said then."""
        await asyncio.gather(*(self.get(name, version) for name, version in wanted), return_exceptions=True)

    async def reload(self) -> None:
        """Look at the directory again: retry what was refused, replace what changed, load newer versions."""
        self._refused.clear()
        self._newest.clear()
        for (name, version), model in list(self._models.items()):
            try:
                changed = ModelCard.load(self._directory / name / version) != model.card
            except ModelError as error:
                log.error("%s@%s is kept as loaded: %s %s", name, version, error, error.remedy)
                continue
            if changed:
                async with self._locks[name, version]:
                    await self._load(name, version)
        await self.prepare({(name, self._newest_version(name)) for name, _ in self._models})

    def _newest_version(self, name: str) -> str:
        """Of those there were when it was first asked for, or at the last reload; of the loaded where none is left."""
        if name not in self._newest:
            versions = [path.parent.name for path in self._directory.glob(f"{name}/*/{CARD_FILE}")]
            versions = versions or [version for loaded, version in self._models if loaded == name]
            if not versions:
                msg = f"there is no model {name!r} in {self._directory}"
                raise ModelError(msg, "Train and export it, or set LEAF_WORKER_MODELS.")
            self._newest[name] = max(versions, key=lambda version: _age((name, version)))
        return self._newest[name]

    async def _load(self, name: str, version: str) -> None:
        start = time.perf_counter()
        try:
            model = await asyncio.to_thread(self._warm, self._directory / name / version)
        except ModelError as error:
            self._refused[name, version] = error
            log.error("%s@%s is refused: %s %s", name, version, error, error.remedy)
            return
        self._models[name, version] = model
        while len(self._models) > MAX_LOADED:
            del self._models[next(iter(self._models))]
        log.info("%s@%s serves on %s after %.1f s", name, version, model.engine.name, time.perf_counter() - start)

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
    if logits.shape != (2, len(LABELS)) or gate.shape != (2,) or evidence.shape[::3] != (2, len(LABELS)):
        msg = f"{card.id} answers in shapes {logits.shape}, {gate.shape}, {evidence.shape}"
        raise ModelError(msg, "Export the model again.")
    if not all(np.isfinite(numbers).all() for numbers in (logits, gate, evidence)):
        msg = f"{card.id} answers with numbers that are not finite"
        raise ModelError(msg, "Export the model again.")
    if np.allclose(logits[0], logits[1]):
        msg = f"{card.id} answers alike whatever the picture"
        raise ModelError(msg, "Export the model again.")


def _age(key: tuple[str, str]) -> list[tuple[int, str]]:
    """Sorts versions: 2 before 10, 1.9 before 1.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in key[1].split(".")]
