import time
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import Producer
from sinks import made, publish

from ops.embedded import Embedded
from producer_api.export.topic import TopicReader
from schemas.topics import PREDICTIONS

BEGINNING = datetime.fromtimestamp(0, UTC)


@pytest.fixture
def bootstrap(tmp_path):
    """The broker of embedded mode, which knows no offset of any time."""
    with Embedded(tmp_path / "addresses.json", log=tmp_path / "embedded.log") as embedded:
        yield embedded.addresses[0]


def test_the_embedded_broker_s_records_are_found_by_their_times(bootstrap):
    producer = Producer({"bootstrap.servers": bootstrap})
    publish(producer, [made(number) for number in range(5)])
    time.sleep(0.05)
    between = datetime.now(UTC)
    time.sleep(0.05)
    publish(producer, [made(number) for number in range(5, 8)])
    later = between + timedelta(hours=1)
    with TopicReader(bootstrap, finds_times=False) as reader:

        def count(begin, end):
            return len(list(reader.read(reader.between(PREDICTIONS, begin, end))))

        assert count(BEGINNING, None) == 8
        assert (count(BEGINNING, between), count(between, None)) == (5, 3)
        assert (count(between, later), count(later, None)) == (3, 0)
