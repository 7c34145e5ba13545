"""A real redis-server on this machine, with the durability that the sink expects."""

from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from ops.ports import LOOPBACK, accepts, free_port, is_free
from ops.process import Process, program
from schemas.errors import ConfigurationError


def answers(address: str) -> bool:
    """Whether a Redis there answers PING; not while it still loads its file."""
    host, _, port = address.rpartition(":")
    try:
        with Redis(host=host, port=int(port), socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False


class RedisServer(Process):
    """Redis on loopback: append-only file flushed every second, nothing evicted, data in `directory`."""

    def __init__(self, directory: Path, *, port: int = 0, log: Path | None = None) -> None:
        super().__init__("redis", [], log=log or directory / "redis.log")
        self.directory = directory.absolute()
        self.port = port or free_port()

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Check the program and the port; make the directory."""
        redis_server = program("redis-server", "redis-server")
        self.directory.mkdir(parents=True, exist_ok=True)
        super().prepare()
        if not is_free(self.port):
            msg = f"port {self.port} is taken, Redis can't listen there"
            raise ConfigurationError(msg, "Stop what listens there, or set REDIS=host:port to use it.")
        options = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": str(self.directory),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": "",
            "loglevel": "warning",
        }
        self.command = [redis_server, *(part for name, value in options.items() for part in (f"--{name}", value))]

    def ready(self) -> bool:
        """Whether it answers and has loaded its file."""
        return accepts(self.port) and answers(self.address)
