import asyncio
import gc
import logging
import shutil
import threading
import traceback
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from workers import PX, FlatEngine, write_model

from schemas.card import ModelCard
from schemas.errors import ConfigurationError, ModelError
from schemas.prediction import Features
from stream_workers.decoding import Decoded
from stream_workers.engines import Outputs
from stream_workers.metrics import REFUSED
from stream_workers.models import Registry

SHADES = range(4, 184, 8)


def decoded(shade: int) -> Decoded:
    pixels = np.full((PX, PX, 3), shade, np.uint8)
    return Decoded(pixels, pixels, Features(brightness=shade, contrast=0, red=shade, green=shade, blue=shade))


async def test_the_newest_serves_where_no_version_is_named(models, registry) -> None:
    write_model(models, version="2")
    write_model(models, version="10")
    assert (await registry.get("flat")).card.version == "10"
    assert (await registry.get("flat", "1")).card.version == "1"


async def test_a_batch_is_computed_in_slices_of_the_ceiling(registry, engines) -> None:
    model = await registry.get("flat")
    engines["1"].batches.clear()
    pictures = [decoded(shade) for shade in SHADES]
    outputs, milliseconds = await model.infer(pictures)
    assert engines["1"].batches == [8, 8, 7]
    assert outputs.logits.argmax(-1).tolist() == [round(shade / 20) for shade in SHADES]
    assert outputs.gate.shape == (23,)
    assert milliseconds >= 0


async def test_models_are_warm_before_they_serve(registry, engines) -> None:
    await registry.get("flat")
    assert 1 in engines["1"].batches
    assert engines["1"].ceiling in engines["1"].batches


async def test_a_wrong_checksum_is_refused_once_and_no_other_version_answers_for_it(models, registry, caplog) -> None:
    await registry.get("flat", "1")
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    with caplog.at_level(logging.ERROR):
        for _ in range(2):
            with pytest.raises(ModelError, match="checksum"):
                await registry.get("flat", "2")
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


async def test_each_refusal_is_an_exception_of_its_own(models, registry) -> None:
    """One that is kept and raised again holds the frames, and so the images, of all who ever asked."""
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    refusals = []
    for _ in range(3):
        with pytest.raises(ModelError) as refused:
            await registry.get("flat", "2")
        refusals.append(refused.value)
    assert len({id(refusal) for refusal in refusals}) == 3
    assert len({len(traceback.extract_tb(refusal.__traceback__)) for refusal in refusals}) == 1
    assert {(refusal.advice, refusal.__context__) for refusal in refusals} == {(refusals[0].advice, None)}


async def test_asking_for_what_is_refused_needs_no_memory(models, registry) -> None:
    write_model(models, version="2", files={"weights.npz": "0" * 64})

    async def ask(times: int) -> int:
        for _ in range(times):
            with suppress(ModelError):
                await registry.get("flat", "2")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = await ask(10)
        assert await ask(500) - before < 20_000
    finally:
        tracemalloc.stop()


async def test_the_newest_that_loads_serves_where_no_version_is_named(models, registry) -> None:
    write_model(models, version="2")
    write_model(models, version="3", files={"weights.npz": "0" * 64})
    assert (await registry.get("flat")).card.version == "2"


async def test_a_stand_in_is_found_though_nothing_was_loaded_before(models, registry) -> None:
    """As in a replay, which loads a model with the first image that needs it."""
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    write_model(models, "other", "7")
    assert (await registry.stand_in("flat")).card.id == "flat@1"
    shutil.rmtree(models / "flat" / "1")
    (models / "other" / "7" / "weights.npz").write_bytes(b"7")
    assert (await Registry(models, lambda *_: FlatEngine()).stand_in("flat")).card.id == "other@7"


async def test_no_stand_in_is_said_with_the_reason(models, registry) -> None:
    write_model(models, files={"weights.npz": "0" * 64})
    with pytest.raises(ModelError, match=r"no model can be served.*checksum"):
        await registry.stand_in("flat")


async def test_an_engine_that_is_not_installed_is_a_refusal(models) -> None:
    def load(*_: object) -> FlatEngine:
        raise ConfigurationError("openvino is not installed here")

    with pytest.raises(ModelError, match="openvino is not installed here"):
        await Registry(models, load).get("flat", "1")


async def test_what_was_refused_is_tried_again_with_the_files_as_they_are_now(models, registry) -> None:
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    for _ in range(2):
        with pytest.raises(ModelError, match="checksum"):
            await registry.try_again("flat", "2")
    with pytest.raises(ModelError, match="does not exist"):
        await registry.try_again("flat", "3")
    refused = REFUSED.labels("flat", "2")._value
    assert refused.get() == 1
    write_model(models, version="2")
    write_model(models, version="3")
    for version in ("2", "3"):
        await registry.try_again("flat", version)
        assert refused.get() == 0
        assert (await registry.get("flat", version)).card.version == version


async def test_what_serves_but_could_not_be_loaded_again_is_refused_when_tried(models, registry) -> None:
    await registry.get("flat", "1")
    write_model(models, files={"weights.npz": "0" * 64})
    with pytest.raises(ModelError, match="checksum"):
        await registry.try_again("flat", "1")
    assert (await registry.get("flat", "1")).card.version == "1"


class Broken(FlatEngine):
    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault

    def infer(self, images, larger=None) -> Outputs:
        outputs = super().infer(images, larger)
        if self.fault == "raises":
            raise RuntimeError("boom")
        if self.fault == "nan":
            return outputs._replace(gate=np.full_like(outputs.gate, np.nan))
        if self.fault == "shape":
            return outputs._replace(logits=outputs.logits[:, :9])
        return outputs._replace(logits=np.zeros_like(outputs.logits))


@pytest.mark.parametrize("fault", ["raises", "nan", "shape", "constant"])
async def test_a_failed_self_test_is_refused(models, fault) -> None:
    write_model(models, version="2")
    registry = Registry(models, lambda _, card: Broken(fault) if card.version == "2" else FlatEngine())
    with pytest.raises(ModelError):
        await registry.get("flat", "2")
    assert (await registry.get("flat")).card.version == "1"


async def test_unknown_model(registry) -> None:
    with pytest.raises(ModelError, match="no model 'other'"):
        await registry.get("other")


def test_no_model_at_all(tmp_path) -> None:
    with pytest.raises(ConfigurationError, match="no model"):
        Registry(tmp_path, lambda *_: FlatEngine()).names()


def holding_version_2(models: Path) -> tuple[Registry, threading.Event, threading.Event]:
    """A registry that waits with version 2: it is being loaded, and may go on, once these are set."""
    loading, go_on = threading.Event(), threading.Event()

    def load(_: Path, card: ModelCard) -> FlatEngine:
        if card.version == "2":
            loading.set()
            assert go_on.wait(10)
        return FlatEngine()

    registry = Registry(models, load)
    return registry, loading, go_on


async def test_the_old_one_serves_while_the_new_one_loads(models) -> None:
    registry, loading, go_on = holding_version_2(models)
    old = await registry.get("flat")
    write_model(models, version="2")
    rollout = asyncio.create_task(registry.prepare([("flat", "2")]))
    await asyncio.to_thread(loading.wait, 10)
    assert await asyncio.wait_for(registry.get("flat", "1"), 1) is old
    go_on.set()
    await rollout
    assert {card.version for card in registry.loaded()} == {"1", "2"}


async def test_reload_replaces_what_changed_and_retries_what_was_refused(models, registry) -> None:
    first = await registry.get("flat", "1")
    write_model(models, version="2", files={"weights.npz": "0" * 64})
    with pytest.raises(ModelError):
        await registry.get("flat", "2")
    write_model(models, version="2")
    write_model(models, version="1", data_fingerprint="another")
    await registry.reload()
    assert (await registry.get("flat", "2")).card.version == "2"
    replaced = await registry.get("flat", "1")
    assert replaced is not first
    assert replaced.card.data_fingerprint == "another"
    await first.infer([decoded(0)])  # a batch that holds the old one still finishes


async def test_reload_keeps_what_became_broken(models, registry) -> None:
    first = await registry.get("flat", "1")
    (models / "flat" / "1" / "card.json").write_text("{")
    await registry.reload()
    assert await registry.get("flat", "1") is first


async def test_the_least_recently_used_goes(models, registry, monkeypatch) -> None:
    monkeypatch.setattr("stream_workers.models.MAX_LOADED", 2)
    for version in ("2", "3"):
        write_model(models, version=version)
    await registry.get("flat", "1")
    await registry.get("flat", "2")
    await registry.get("flat", "1")
    await registry.get("flat", "3")
    assert {card.version for card in registry.loaded()} == {"1", "3"}


async def test_a_reload_finds_a_newer_version(models, registry) -> None:
    assert (await registry.get("flat")).card.version == "1"
    write_model(models, version="2")
    assert (await registry.get("flat")).card.version == "1"
    await registry.reload()
    assert (await registry.get("flat")).card.version == "2"


@pytest.mark.parametrize("file", ["card.json", "weights.npz"])
async def test_files_that_can_not_be_read_are_refused(models, registry, monkeypatch, file) -> None:
    """As those of a copy that only its owner may read; not a ModelError, it would end the worker at each photograph."""
    await registry.get("flat", "1")
    write_model(models, version="2")

    def refusing(method):
        def call(path, *arguments, **named):
            if path == models / "flat" / "2" / file:
                raise PermissionError(13, "Permission denied", str(path))
            return method(path, *arguments, **named)

        return call

    for name in ("open", "read_bytes"):
        monkeypatch.setattr(Path, name, refusing(getattr(Path, name)))
    for _ in range(2):
        with pytest.raises(ModelError, match="can't be read"):
            await registry.get("flat", "2")
        assert (await registry.get("flat")).card.version == "1"
        await registry.reload()


async def test_a_model_that_was_removed_serves_on_and_stops_no_other(models, registry) -> None:
    write_model(models, "other")
    await registry.get("flat")
    await registry.get("other")
    write_model(models, "other", "2")
    shutil.rmtree(models / "flat")
    await registry.reload()
    assert "other@2" in {card.id for card in registry.loaded()}
    assert (await registry.get("flat")).card.id == "flat@1"


async def test_the_newest_serves_on_until_a_newer_one_is_warm(models) -> None:
    registry, loading, go_on = holding_version_2(models)
    old = await registry.get("flat")
    write_model(models, version="2")
    reload = asyncio.create_task(registry.reload())
    await asyncio.to_thread(loading.wait, 10)
    assert await asyncio.wait_for(registry.get("flat"), 5) is old
    go_on.set()
    await reload
    assert (await registry.get("flat")).card.version == "2"
