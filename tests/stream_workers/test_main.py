import pytest
from aiokafka.errors import KafkaConnectionError

from schemas.errors import ModelError
from stream_workers import __main__


@pytest.mark.parametrize("error", [ModelError("no model", "Export one."), KafkaConnectionError("Unable to bootstrap")])
def test_what_keeps_it_from_starting_is_one_sentence(monkeypatch, caplog, error) -> None:
    def fails(*_args: object, **_kwargs: object) -> str:
        raise error

    monkeypatch.setattr(__main__, "images_topic_id", fails)
    monkeypatch.setattr(__main__.logs, "configure", lambda _level: None)
    with pytest.raises(SystemExit, match="1"):
        __main__.main()
    assert len(caplog.messages) == 1
    assert str(error) in caplog.text
