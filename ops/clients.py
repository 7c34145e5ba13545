"""Settings that our short-lived Kafka clients share."""

from typing import Any, Final

SECONDS: Final = 10.0
"""How long one request may take."""


def client(kafka: str) -> dict[str, Any]:
    """Of a librdkafka client that leaves complaining to its caller."""
    return {"bootstrap.servers": kafka, "log_level": 0}
