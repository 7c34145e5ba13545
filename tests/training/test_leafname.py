from pathlib import PurePosixPath

import pytest

from training.leafname import leaf_of

UUID = "0a5e9323-dbad-432d-ac58-d291718345d9___"


def of(name: str) -> str:
    return leaf_of(PurePosixPath(f"Tomato___healthy/{name}"))


@pytest.mark.parametrize(
    "suffix",
    [
        "_flipLR",
        "_flipTB",
        "_90deg",
        "_180deg",
        "_new30degFlipLR",
        "_90deg_flipLR",
        " (1)",
        "_90deg (1)",
        " (1)_flipLR",
    ],
)
def test_an_augmented_copy_belongs_to_its_parent(suffix: str) -> None:
    assert of(f"{UUID}RS_HL 0411{suffix}.JPG") == of(f"{UUID}RS_HL 0411.JPG")


def test_a_run_of_shots_is_one_leaf_and_a_distant_shot_another() -> None:
    assert of(f"{UUID}RS_HL 0408.JPG") == of(f"{UUID}RS_HL 0431.JPG")
    assert of(f"{UUID}RS_HL 0408.JPG") != of(f"{UUID}RS_HL 0432.JPG")
    assert of(f"{UUID}RS_HL 0408.JPG") != of(f"{UUID}RS_LB 0408.JPG")


def test_a_named_leaf_keeps_its_shots_together() -> None:
    assert of(f"{UUID}GH_HL Leaf 428.JPG") == of(f"{UUID}GH_HL Leaf 428.1.JPG")
    assert of(f"{UUID}GH_HL Leaf 428.JPG") != of(f"{UUID}GH_HL Leaf 429.JPG")


def test_names_that_tell_nothing_are_leaves_of_their_own() -> None:
    assert of("IMG_0001.jpg") != of("IMG_0002.jpg")
    assert of("image (1).JPG") != of("image (2).JPG")  # as TensorFlow's plant_village names them
    assert of("image (1)_flipLR.JPG") == of("image (1).JPG")
