from pathlib import Path

import pytest

from training.recipe import RECIPES, Recipe


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_learning_rate_rises_then_falls_to_almost_nothing(recipe: Recipe) -> None:
    rates = [recipe.rate(step / 1000) for step in range(1001)]
    peak = rates.index(max(rates))
    assert peak / 1000 == pytest.approx(recipe.warm_up, abs=0.002)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak + 1 :] == sorted(rates[peak + 1 :], reverse=True)
    assert max(rates) == pytest.approx(recipe.learning_rate, rel=0.03)
    assert rates[-1] < 0.01 * recipe.learning_rate


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_images_only_grow_and_end_at_the_served_size(recipe: Recipe) -> None:
    sizes = [recipe.px(step / 100) for step in range(101)]
    assert sizes == sorted(sizes)
    assert sizes[-1] == recipe.sizes[-1][1]


def test_a_run_of_another_recipe_is_kept_beside(tmp_path: Path) -> None:
    run, first = tmp_path / "resnet50", RECIPES["resnet50"]
    first.make_way(run)
    for number in (1, 2):
        run.mkdir()
        first.save(run)
        first.make_way(run)
        assert run.exists(), "the same recipe continues"
        second = first.model_copy(update={"init": "resnet50@1", "teachers": ("efficientnetb0@1",)})
        second.make_way(run)
        assert not run.exists()
        assert Recipe.of(tmp_path / f"resnet50-{number}") == first


def test_a_recipe_is_read_as_it_was_written() -> None:
    recipe = RECIPES["resnet50"].model_copy(update={"teachers": ("efficientnetb0@1",), "without": ("north",)})
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
