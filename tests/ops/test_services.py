import os
import socket
import subprocess
import sys
from threading import Thread

import pytest
from confluent_kafka.admin import AdminClient

from ops import services
from ops.ports import free_port
from result_sink.settings import SinkSettings
from schemas.topics import IMAGES, PREDICTIONS


@pytest.mark.broker
@pytest.mark.parametrize(
    ("service", "group", "topic"),
    [(services.worker, "leaf-workers", IMAGES), (services.sink, "leaf-sink", PREDICTIONS)],
)
def test_it_answers_only_when_it_has_its_partitions(service, group, topic, topics, redis_server, tmp_path):
    env = {"KAFKA": topics, "REDIS": redis_server, "MODE": "real", "LEAF_VAR": str(tmp_path)}
    admin = AdminClient({"bootstrap.servers": topics})
    with service("service", free_port(), env=env, logs=tmp_path):
        members = admin.describe_consumer_groups([group])[group].result(10).members
        held = [
            at.partition for member in members for at in member.assignment.topic_partitions if at.topic == topic.name
        ]
    assert sorted(held) == list(range(12))


@pytest.mark.parametrize(
    ("module", "variable", "value"),
    [
        ("producer_api", "LEAF_API_LOG_LEVEL", "loud"),
        ("result_sink", "LEAF_SINK_BATCH", "1000"),
        ("stream_workers", "LEAF_WORKER_ENGINE", "abacus"),
    ],
)
def test_a_wrong_setting_ends_a_service_with_one_sentence(module, variable, value, tmp_path):
    env = os.environ | {variable: value, "LEAF_VAR": str(tmp_path), "KAFKA": "127.0.0.1:1"}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=services.ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{variable} in the environment is wrong: ")
    assert "Traceback" not in done.stderr


def test_a_level_may_be_written_small(monkeypatch):
    monkeypatch.setenv("LEAF_SINK_LOG_LEVEL", "debug")
    assert SinkSettings().log_level == "DEBUG"


def test_an_api_is_asked_where_it_listens(tmp_path):
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        Thread(target=answer, daemon=True).start()
        assert services.api("api", "127.0.0.2", port, env={}, logs=tmp_path).ready()
