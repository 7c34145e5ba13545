import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.prepared import Prepared, prepare
from training.recipe import Recipe
from training.sampling import Sampler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


@pytest.fixture(scope="module")
def data(leaves: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, Prepared]:
    folder = tmp_path_factory.mktemp("prepared")
    return prepare(leaves / "train.zip", folder / "train"), prepare(leaves / "val.zip", folder / "val")


def trainer(tiny: str, data: tuple[Prepared, Prepared], run: Path, seconds: float, **changes: Any) -> Any:
    from training.trainer import Trainer

    """With an average that follows within the few steps of a test."""
    sizes = ((0.0, 32), (0.3, 64))
    recipe = Recipe(architecture=tiny, batch=16, learning_rate=5e-3, sizes=sizes, average_decay=0.95, **changes)
    return Trainer(recipe, *data, run, seconds, run / "models")


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("step_clock")
def test_it_learns_and_a_killed_run_continues_where_it_was(
    tiny: str, data: tuple[Prepared, Prepared], tmp_path: Path
) -> None:
    from stream_workers.engines.networks import build_network
    from training.network import trained_part
    from training.transfer import initialise

    first = trainer(tiny, data, tmp_path, seconds=6)
    stages = first._stage(Sampler(data[0], 0))
    for _ in range(3):
        next(stages)
    first._checkpoint.save(first.active, first.step, first.optimizer)
    stages.close()
    second = trainer(tiny, data, tmp_path, seconds=6)
    assert (second.active, second.step) == (first.active, first.step)
    for mine, other in zip(second.model.get_weights(), first.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    for mine, other in zip(second.optimizer.variables, first.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.array(mine), np.array(other))
    second.run()
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["px"] for line in history] == [32, 64]
    assert history[-1]["progress"] == 1
    assert history[-1]["val_accuracy"] > 0.3, "ten coloured blobs; chance is 0.1"
    assert trainer(tiny, data, tmp_path, seconds=6).progress == 1
    network = build_network(tiny)
    initialise(network, str(tmp_path / "average.weights.h5"), tmp_path)
    for mine, other in zip(trained_part(network).get_weights(), second.average, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_pause_does_not_use_up_the_budget(
    tiny: str, data: tuple[Prepared, Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.trainer as module

    paused = trainer(tiny, data, tmp_path, seconds=1000)
    clock = iter(range(0, 10**9, 3600))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    stages = paused._stage(Sampler(data[0], 0))
    next(stages)
    stages.close()
    assert paused.active == module.LONGEST_BURST


@pytest.mark.timeout(180)
def test_it_learns_from_a_stored_model(tiny: str, data: tuple[Prepared, Prepared], tmp_path: Path) -> None:
    from schemas.card import WEIGHTS_FILE, ModelCard, Preprocessing
    from stream_workers.engines.networks import build_network
    from training.fingerprint import file_digest
    from training.release import UNCALIBRATED

    run = tmp_path / "run"
    stored = run / "models" / tiny / "1"
    stored.mkdir(parents=True)
    weights = build_network(tiny).get_weights()
    np.savez(stored / WEIGHTS_FILE, **{str(index): array for index, array in enumerate(weights)})
    card = ModelCard(
        name=tiny,
        version="1",
        architecture=tiny,
        preprocessing=Preprocessing(px=64),
        files={WEIGHTS_FILE: file_digest(stored / WEIGHTS_FILE)},
        batch_ceiling={"tensorflow": 32},
        calibration=UNCALIBRATED,
        metrics={},
        data_fingerprint="",
        code_fingerprint="",
        recipe={},
        trained_at=datetime.now(UTC),
    )
    (stored / "card.json").write_text(card.model_dump_json())
    taught = trainer(tiny, data, run, seconds=2, init=f"{tiny}@1", teachers=(f"{tiny}@1",))
    for mine, other in zip(taught.network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    teacher = taught._distillation.teachers[0]
    taught.run()
    assert taught.step > 1
    for mine, other in zip(teacher.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, other)
