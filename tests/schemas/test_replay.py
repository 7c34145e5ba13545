import pytest
from examples import run
from pydantic import ValidationError

from schemas.replay import Run


@pytest.mark.parametrize(
    "bounds",
    [
        {"start": {2**31: 0}, "end": {2**31: 1}},
        {"start": {-1: 0}, "end": {-1: 1}},
        {"start": {0: -2}, "end": {0: 1}},
        {"start": {0: 0}, "end": {0: 2**63}},
    ],
)
def test_partitions_and_offsets_that_no_topic_has_are_refused(bounds):
    """Whoever asks how far the runs are would fail for all of them."""
    with pytest.raises(ValidationError, match="that a topic can have"):
        Run.model_validate(run().model_dump() | bounds)
