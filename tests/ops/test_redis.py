import socket
import time

import pytest
from redis import Redis

from ops.ports import LOOPBACK
from ops.redis import RedisServer, answers
from schemas.errors import ConfigurationError

pytestmark = pytest.mark.broker


def test_nothing_is_evicted_and_the_file_is_flushed_every_second(redis_process):
    with Redis(port=redis_process.port) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("append*") | {"appendonly": "yes", "appendfsync": "everysec"} == client.config_get(
            "append*"
        )


def test_what_was_flushed_survives_kill_9(redis_process):
    with Redis(port=redis_process.port) as client:
        client.set("kept", "yes")
        time.sleep(1.5)
    redis_process.kill()
    assert not answers(redis_process.address)
    redis_process.start()
    with Redis(port=redis_process.port) as client:
        assert client.get("kept") == b"yes"


def test_a_taken_port_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is taken"):
            RedisServer(tmp_path, port=port).start()
