import pytest

from ops.ports import LOOPBACK, free_port, is_free
from ops.settings import StackSettings
from ops.stack import Stack
from schemas.errors import ConfigurationError


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "var"))
    for name in ("KAFKA", "REDIS", "MODE", "PORT", "LEAF_LISTEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("listen", ["192.0.2.1", "::1", "nowhere.invalid"])
@pytest.mark.parametrize("port", [None, 18080])
def test_an_address_that_is_not_ours_is_named(listen, port):
    with pytest.raises(ConfigurationError, match=f"LEAF_LISTEN={listen} is no IPv4 address of this machine"):
        Stack(StackSettings(mode="embedded", listen=listen, port=port)).run()


def test_kafka_does_not_take_the_port_that_was_asked_for_the_page():
    wanted = free_port(9092)
    stack = Stack(StackSettings(port=wanted))
    assert stack._page_port() == wanted
    assert not is_free(wanted)
    assert free_port(9092) != wanted
    stack._open_door()
    assert is_free(wanted)


@pytest.mark.parametrize(
    ("listen", "host"), [("0.0.0.0", "localhost"), (LOOPBACK, "localhost"), ("127.0.0.2", "127.0.0.2")]
)
def test_the_address_that_is_printed_is_one_that_answers(listen, host):
    assert Stack(StackSettings(listen=listen))._url(8080) == f"http://{host}:8080"
