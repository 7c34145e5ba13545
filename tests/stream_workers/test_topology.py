import pytest

from schemas.errors import ConfigurationError
from stream_workers.topology import check_partitions

COUNTS = {
    "leaf.images": 12,
    "leaf.predictions": 12,
    "leaf.images.unprocessable": 12,
    "leaf.images.failed": 12,
    "leaf.experiments": 1,
}


def test_equal_counts_are_fine() -> None:
    check_partitions(COUNTS)


@pytest.mark.parametrize("name", ["leaf.predictions", "leaf.images.failed"])
def test_another_count_is_refused(name) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} has 6"):
        check_partitions(COUNTS | {name: 6})


@pytest.mark.parametrize("name", list(COUNTS))
def test_a_missing_topic_is_named(name) -> None:
    with pytest.raises(ConfigurationError, match=f"no topic {name}"):
        check_partitions({key: count for key, count in COUNTS.items() if key != name})
