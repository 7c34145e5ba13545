import json
from pathlib import Path

import numpy as np
import pytest

from training.prepared import Prepared, prepare
from training.recipe import RECIPES, Recipe
from training.swapped import swap_backgrounds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


@pytest.fixture(scope="module")
def data(leaves: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, Prepared, Prepared]:
    folder = tmp_path_factory.mktemp("prepared")
    train, val = (prepare(leaves / f"{split}.zip", folder / split) for split in ("train", "val"))
    swapped = prepare(swap_backgrounds(leaves / "val.zip", folder / "swapped"), folder / "swapped")
    return train, val, swapped


@pytest.mark.timeout(180)
def test_a_variant_is_trained_once_and_its_figures_stand_in_the_table(
    tiny: str, data: tuple[Prepared, Prepared, Prepared], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.ablation as module

    recipe = Recipe(architecture=tiny, batch=16, learning_rate=5e-3)
    ablation = module.Ablation(recipe, *data, tmp_path, steps=60)
    found = ablation.figures("leaves on their own desks only")
    lines = (next(tmp_path.iterdir()) / "history.jsonl").read_text().splitlines()
    assert 60 <= json.loads(lines[-1])["step"] <= 70, "however long each took"
    assert found.accuracy > 0.2, "ten coloured blobs; chance is 0.1"
    assert Recipe.of(next(tmp_path.iterdir())).background == 0
    monkeypatch.setattr(module, "Trainer", None)
    assert ablation.figures("leaves on their own desks only") == found
    row = module.ablation_table("tiny", 60, {"leaves on their own desks only": found}).splitlines()[-1]
    assert row.startswith(f"| leaves on their own desks only | {found.accuracy:.3f} |")


def test_each_variant_changes_the_recipe() -> None:
    from training.ablation import VARIANTS

    recipe = RECIPES["efficientnetb0"]
    changed = [recipe.model_copy(update=update) for update in VARIANTS.values()]
    assert changed[0] == recipe
    assert all(one != recipe for one in changed[1:])
    assert all(set(update) <= set(Recipe.model_fields) for update in VARIANTS.values())


def test_classes_as_often_as_they_come(data: tuple[Prepared, Prepared, Prepared]) -> None:
    from training.sampling import Sampler

    train = data[0]
    kept = np.concatenate([np.flatnonzero(train.labels != 5), np.flatnonzero(train.labels == 5)[:2]])
    shares = Sampler(Prepared(train.rgba[kept], train.labels[kept], ""), seed=0, balance=1)._shares
    assert shares[5] == pytest.approx(2 / (2 + 9 * 8))
