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
    assert sizes[0] < sizes[-1] == recipe.sizes[-1][1]
