import socket

import pytest
from confluent_kafka import KafkaError, KafkaException

from schemas.errors import BrokerUnavailableError
from schemas.kafka import reach


@pytest.fixture
def mute():
    """A port where something listens that never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no.such.host.invalid:9092", "mute"])
def test_a_broker_that_does_not_answer_is_waited_for_so_long_and_no_longer(address, mute, capsys):
    address = mute if address == "mute" else address
    with pytest.raises(BrokerUnavailableError, match=f"does not answer at {address}") as caught:
        reach(address, 2)
    assert "KAFKA=host:port" in caught.value.remedy
    assert capsys.readouterr().err == f"waiting for Kafka at {address}, 2 s at most\n"


def test_a_broker_that_answers_later_is_enough(monkeypatch, capsys):
    asked = []

    def list_topics(self, timeout):
        asked.append(timeout)
        if len(asked) == 1:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))

    monkeypatch.setattr(
        "schemas.kafka.AdminClient", type("Admin", (), {"__init__": lambda *_: None, "list_topics": list_topics})
    )
    reach("127.0.0.1:1", 5)
    assert len(asked) == 2
    assert "waiting" in capsys.readouterr().err
