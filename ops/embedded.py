"""Broker and Redis in memory, from Python wheels alone: for a first look on a machine that has nothing else.

The broker is librdkafka's mock cluster (`test.mock.num.brokers`): four partitions a topic, no CreateTopics. Nothing
survives a stop. `python -m ops.embedded ADDRESSES` serves both and writes where they listen to that file, as JSON.
"""

import json
import logging
import signal
import sys
from pathlib import Path
from threading import Thread

from confluent_kafka import Producer
from fakeredis import TcpFakeServer

from ops.ports import LOOPBACK
from ops.process import Process
from schemas.errors import ConfigurationError


class Embedded(Process):
    """The process that holds both; when it ends, all is lost."""

    def __init__(self, addresses: Path, *, log: Path) -> None:
        super().__init__("embedded", [sys.executable, "-m", "ops.embedded", str(addresses)], log=log)
        self._addresses = addresses

    def prepare(self) -> None:
        """Forget the addresses of an earlier one."""
        super().prepare()
        self._addresses.unlink(missing_ok=True)

    def ready(self) -> bool:
        """Whether both listen."""
        return self._addresses.exists()

    @property
    def addresses(self) -> tuple[str, str]:
        """Bootstrap servers, and Redis's host:port."""
        found = json.loads(self._addresses.read_text())
        return found["kafka"], found["redis"]


def main(addresses: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level="WARNING")
    cluster = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 2})
    brokers = [f"{broker.host}:{broker.port}" for broker in cluster.list_topics(timeout=10).brokers.values()]
    if not brokers:
        msg = "the embedded broker did not start"
        raise ConfigurationError(msg, "Use a real Kafka: make run MODE=real.")
    redis = TcpFakeServer((LOOPBACK, 0))
    redis.daemon_threads = True
    Thread(target=redis.serve_forever, daemon=True).start()
    partial = addresses.with_suffix(".partial")
    partial.write_text(json.dumps({"kafka": ",".join(brokers), "redis": f"{LOOPBACK}:{redis.server_address[1]}"}))
    partial.replace(addresses)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main(Path(sys.argv[1]))
