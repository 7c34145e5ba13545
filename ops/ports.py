"""TCP ports of this machine: which are free, and keeping them for whoever will listen there."""

import secrets
import socket
from contextlib import suppress
from typing import Final

LOOPBACK: Final = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with suppress(OSError), hold(port, host):
        return True
    return False


def free_port(preferred: int = 0, host: str = LOOPBACK) -> int:
    """The first free port from `preferred` on, or from some number below those the system gives to connections.

    One of those could be taken while a server that listened there is down. What is not preferred is given to one
    process at a time, whenever it comes to listen there.
    """
    first = preferred or 12_000 + secrets.randbelow(18_000)
    return next(port for port in range(first, first + 200) if is_free(port, host) and (preferred or _claim(port)))


def _claim(port: int) -> bool:
    """Keep a port from the `free_port` of others, by a name in the abstract namespace: it goes with this process."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0leafstream-port-{port}")
    except OSError:
        claim.close()
        return False
    claim.detach()
    return True


def accepts(port: int, host: str = LOOPBACK) -> bool:
    """Whether something listens there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def reached_at(listen: str) -> str:
    """Address at which what listens there is reached from this machine."""
    return LOOPBACK if listen == "0.0.0.0" else listen  # noqa: S104


def hold(port: int, host: str = LOOPBACK) -> socket.socket:
    """Keep a free port from everybody until the socket is closed; nobody is answered there."""
    held = socket.socket()
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)  # with it others could bind beside it
    except OSError:
        held.close()
        raise
    return held
