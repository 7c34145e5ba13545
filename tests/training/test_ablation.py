import json
from pathlib import Path

import pytest

from training.prepared import Prepared
from training.recipe import RECIPES, Recipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
]


@pytest.mark.timeout(180)
def test_a_variant_is_trained_once_and_its_figures_stand_in_the_table(
    tiny: str, train: Prepared, val: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.ablation as module

    monkeypatch.setattr(module, "PX", 32)
    recipe = Recipe(architecture=tiny, steps=1, batch=16, learning_rate=5e-3, average_decay=0.9)
    ablation = module.Ablation(recipe, train, val, "north", tmp_path, steps=60)
    desks = "leaves on their own desks only"
    found = ablation.figures(desks)
    run = next(tmp_path.iterdir())
    assert json.loads((run / "history.jsonl").read_text().splitlines()[-1])["step"] == 60
    assert found.lab > 0.2, "ten coloured blobs; chance is 0.1"
    trained = Recipe.of(run)
    assert (trained.background, trained.without, trained.sizes) == (0, ("north",), ((0.0, 32),))
    monkeypatch.setattr(module, "Trainer", None)
    assert ablation.figures(desks) == found
    row = module.ablation_table("tiny", 60, "north", {desks: found}).splitlines()[-1]
    assert row.startswith(f"| {desks} | {found.lab:.3f} | {found.field:.3f} | {found.left_out:.3f} |")


def test_the_mean_of_two_runs_is_scored(tiny: str, train: Prepared, val: Prepared, tmp_path: Path) -> None:
    import training.ablation as module

    recipe = Recipe(architecture=tiny, steps=1, batch=8, learning_rate=5e-3)
    ablation = module.Ablation(recipe.model_copy(update={"init": "scratch"}), train, val, "north", tmp_path, steps=2)
    for variant in (module.AS_IT_IS, module.AGAIN):
        ablation.figures(variant)
    assert 0 <= ablation.mean().left_out <= 1


def test_each_variant_changes_the_recipe() -> None:
    from training.ablation import VARIANTS

    recipe = RECIPES["efficientnetb0"]
    changed = [recipe.model_copy(update=update) for update in VARIANTS.values()]
    assert changed[0] == recipe
    assert all(one != recipe for one in changed[1:])
    assert all(set(update) <= set(Recipe.model_fields) for update in VARIANTS.values())
