"""Redis must be one primary that drops nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ResponseError
from sinks import FIELD, Record, made

from ops.ports import free_port
from ops.process import Process, program
from ops.redis import answers
from result_sink.batch import Batcher
from result_sink.settings import SinkSettings
from result_sink.store import Store
from schemas.errors import ConfigurationError

pytestmark = pytest.mark.broker


@contextmanager
def redis(directory: Path, *options: str) -> Iterator[str]:
    port = free_port(20_000)  # a cluster listens 10,000 above as well
    address = f"127.0.0.1:{port}"
    command = [program("redis-server", "redis-server"), "--port", str(port), "--save", "", "--dir", str(directory)]
    with Process("redis", [*command, *options], log=directory / "redis.log", ready=lambda: answers(address)):
        yield address


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--maxmemory-policy", "allkeys-lru"], "maxmemory-policy is allkeys-lru"),
        (["--cluster-enabled", "yes"], "runs as a cluster"),
        (["--replicaof", "127.0.0.1", "1"], "is a replica"),
    ],
)
def test_an_unfit_redis_is_refused_with_what_to_do(tmp_path, options, complaint):
    with redis(tmp_path, *options) as address:
        store = Store(SinkSettings(redis=address, mode="real"))
        with pytest.raises(ConfigurationError, match=complaint) as refused:
            store.connect()
        store.close()
    assert refused.value.remedy


def test_hidden_configuration_is_only_warned_about(tmp_path, caplog):
    with redis(tmp_path, "--rename-command", "CONFIG", "") as address:
        store = Store(SinkSettings(redis=address, mode="real"))
        store.connect()
        store.close()
    assert "noeviction" in caplog.text


def test_a_full_redis_writes_nothing_by_halves(tmp_path):
    with redis(tmp_path) as address, Redis.from_url(f"redis://{address}/0") as client:
        store = Store(SinkSettings(redis=address, mode="real"))
        store.connect()
        store.move(FIELD, None, 0)
        client.config_set("maxmemory", 1)
        batch = Batcher(SinkSettings()).batch(FIELD, 0, [Record(n, made(n)) for n in range(10)])
        store.apply([batch])
        with pytest.raises(ResponseError, match="maxmemory"):
            store.replies()
        store.close()
        assert client.keys("*") == [b"leaf:offsets"]
