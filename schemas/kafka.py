"""Whether Kafka is there, asked once before a command begins: its later waits are for a broker that answers."""

import sys
import time
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import BrokerUnavailableError

SECONDS: Final = 6.0
"""How long a command waits for Kafka: longer than a broker on this machine takes to start."""
_SILENT_S: Final = 1.0


def reach(bootstrap: str, seconds: float | None = None) -> None:
    """Return as soon as a broker answers; where that takes longer than a second, say on stderr what is waited for.

    Raises BrokerUnavailableError after `seconds`, SECONDS by default.
    """
    seconds = SECONDS if seconds is None else seconds
    admin = AdminClient({"bootstrap.servers": bootstrap, "client.id": "leaf", "log_level": 0, "logger": None})
    started = time.monotonic()
    wait = min(_SILENT_S, seconds)
    while True:
        try:
            admin.list_topics(timeout=wait)
        except KafkaException as error:
            left = started + seconds - time.monotonic()
            if left <= 0:
                msg = f"Kafka does not answer at {bootstrap}: {error.args[0].str()}"
                raise BrokerUnavailableError(msg, "Start it with `leaf up`, or set KAFKA=host:port.") from error
            if wait == _SILENT_S:
                print(f"waiting for Kafka at {bootstrap}, {seconds:g} s at most", file=sys.stderr, flush=True)
            wait = left
        else:
            return
