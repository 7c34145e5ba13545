import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.prepared import Prepared
from training.recipe import Recipe
from training.sampling import Sampler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


def trainer(tiny: str, train: Prepared, val: Prepared, run: Path, **changes: Any) -> Any:
    """With an average that follows within the few steps of a test."""
    from training.trainer import Trainer

    changes = {"sizes": ((0.0, 32), (0.3, 64)), "average_decay": 0.95, **changes}
    return Trainer(Recipe(architecture=tiny, batch=16, learning_rate=5e-3, **changes), train, val, run, run / "models")


@pytest.mark.timeout(180)
def test_it_learns_and_a_killed_run_continues_where_it_was(
    tiny: str, train: Prepared, val: Prepared, tmp_path: Path
) -> None:
    from stream_workers.engines.networks import build_network
    from training.network import trained_part
    from training.transfer import initialise

    first = trainer(tiny, train, val, tmp_path, steps=200)
    stages = first._stage(Sampler(train, first.recipe))
    for _ in range(3):
        next(stages)
    first._checkpoint.save(first.step, first.optimizer)
    stages.close()
    second = trainer(tiny, train, val, tmp_path, steps=200)
    assert second.step == first.step == 30
    for mine, other in zip(second.model.get_weights(), first.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    for mine, other in zip(second.optimizer.variables, first.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.array(mine), np.array(other))
    second.run()
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["px"] for line in history] == [32, 64]
    assert history[-1]["progress"] == 1
    assert history[-1]["val_lab_accuracy"] > 0.3, "ten coloured blobs; chance is 0.1"
    assert history[-1]["val_field_accuracy"] > 0.2
    assert trainer(tiny, train, val, tmp_path, steps=200).progress == 1
    network = build_network(tiny)
    initialise(network, str(tmp_path / "average.weights.h5"), tmp_path)
    for mine, other in zip(trained_part(network).get_weights(), second.average, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.timeout(180)
def test_stopped_during_a_look_at_val_it_keeps_the_live_weights(
    tiny: str, train: Prepared, val: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.trainer as module

    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    stopped = trainer(tiny, train, val, tmp_path, steps=10)
    stopped.average[:] = [np.zeros_like(array) for array in stopped.average]
    live = stopped.model.get_weights()
    monkeypatch.setattr(module, "validate", stop)
    with pytest.raises(KeyboardInterrupt):
        stopped._record(32, [1.0])
    for mine, before in zip(stopped.model.get_weights(), live, strict=True):
        np.testing.assert_array_equal(mine, before)


@pytest.mark.timeout(180)
def test_the_head_learns_first_where_the_recipe_says_so(
    tiny: str, train: Prepared, val: Prepared, tmp_path: Path
) -> None:
    frozen = trainer(tiny, train, val, tmp_path, steps=40, frozen=0.5, sizes=((0.0, 32),))
    stages = frozen._stage(Sampler(train, frozen.recipe))
    before = frozen.network.get_layer("backbone").get_weights(), frozen.network.get_layer("evidence").get_weights()
    for _ in stages:
        pass
    assert frozen.step == 20
    for mine, other in zip(frozen.network.get_layer("backbone").get_weights(), before[0], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert not np.array_equal(frozen.network.get_layer("evidence").get_weights()[0], before[1][0])
    frozen.run()
    assert not np.array_equal(frozen.network.get_layer("backbone").get_weights()[0], before[0][0])


@pytest.mark.timeout(180)
def test_it_learns_from_a_stored_model(tiny: str, train: Prepared, val: Prepared, tmp_path: Path) -> None:
    from schemas.card import WEIGHTS_FILE, ModelCard, Preprocessing
    from schemas.labels import OUTPUTS
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
        labels=OUTPUTS,
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
    taught = trainer(tiny, train, val, run, steps=4, init=f"{tiny}@1", teachers=(f"{tiny}@1",))
    for mine, other in zip(taught.network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    (teacher,) = taught._teachers
    taught.run()
    assert taught.step == 4
    for mine, other in zip(teacher.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(mine, other)
