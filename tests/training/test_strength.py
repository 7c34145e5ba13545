from training.strength import Strength


def test_the_last_epochs_are_mild() -> None:
    early, late = Strength.at(0.5), Strength.at(0.95)
    assert late.smallest_crop > early.smallest_crop
    assert late.smallest_field_crop > early.smallest_field_crop
    assert (late.turn, late.colour) < (early.turn, early.colour)
    assert late.mixed == 0 < early.mixed


def test_scaled_to_nothing_a_photograph_keeps_desk_and_colours() -> None:
    strength = Strength.at(0.5)
    plain = strength.scaled(background=0, colour=0, mixed=0)
    assert (plain.background, plain.colour, plain.degrade, plain.mixed) == (0, 0, 0, 0)
    assert (plain.smallest_crop, plain.turn) == (strength.smallest_crop, strength.turn)
    assert strength.scaled(1, 1, 1) == strength
