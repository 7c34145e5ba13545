import examples
import pytest
from pydantic import ValidationError


def test_the_key_names_the_version():
    assert examples.experiment(version=3).envelope().key == "default@3"


def arm(name, weight):
    return {"name": name, "model": "resnet50", "version": "1", "weight": weight}


@pytest.mark.parametrize("weights", [(0.5, 0.4), (1, 0.1), (0.5, 0.5 + 1e-6)])
def test_weights_must_sum_to_one(weights):
    with pytest.raises(ValidationError, match="sum to 1"):
        examples.experiment(arms=[arm("a", weights[0]), arm("b", weights[1])])


def test_thirds_sum_to_one():
    examples.experiment(arms=[arm(name, 1 / 3) for name in "abc"])


def test_arms_and_shadows_need_different_names():
    with pytest.raises(ValidationError, match="different names"):
        examples.experiment(arms=[arm("new", 1)])


@pytest.mark.parametrize(
    "wrong", [{"arms": []}, {"salt": ""}, {"name": "No Spaces"}, {"version": 0}, {"sticky_key": "ip"}]
)
def test_incomplete_definitions_are_refused(wrong):
    with pytest.raises(ValidationError):
        examples.experiment(**wrong)
