import socket
import subprocess
import sys

from ops.ports import LOOPBACK, accepts, free_port, hold, is_free, reached_at


def test_a_free_port_is_the_first_from_the_wanted_one_on():
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert free_port(port) > port


def test_a_port_that_is_held_is_taken_until_it_is_let_go():
    port = free_port()
    with hold(port):
        assert not is_free(port)
        assert free_port(port) != port
        assert not accepts(port)
    assert is_free(port)


def test_what_listens_everywhere_is_reached_at_loopback():
    assert [reached_at(listen) for listen in ("0.0.0.0", "127.0.0.1", "10.0.0.7")] == [LOOPBACK, LOOPBACK, "10.0.0.7"]


def test_a_port_drawn_by_chance_is_given_to_one_process_only(monkeypatch):
    monkeypatch.setattr("ops.ports.secrets.randbelow", lambda _: 7)
    first, second = free_port(), free_port()
    assert second > first >= 12_007
    code = "from ops import ports; ports.secrets.randbelow = lambda _: 7; print(ports.free_port())"
    elsewhere = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(elsewhere.stdout) > second
    assert int(elsewhere.stdout) == free_port(), "it ended, and its claim with it"
