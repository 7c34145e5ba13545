import shutil
import socket
from types import SimpleNamespace

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from ops import broker as module
from ops.broker import Broker, java
from ops.process import LOOPBACK
from schemas.errors import ConfigurationError


@pytest.mark.broker
@pytest.mark.timeout(120)
def test_events_survive_kill_9(broker):
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_topics([NewTopic("survivors", 1)], operation_timeout=10)["survivors"].result(10)
    producer = Producer({"bootstrap.servers": broker.address, "acks": "all"})
    for number in range(100):
        producer.produce("survivors", value=str(number).encode())
    assert producer.flush(10) == 0
    broker.kill()
    broker.start()
    consumer = Consumer({"bootstrap.servers": broker.address, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.subscribe(["survivors"])
    messages = consumer.consume(100, 30)
    consumer.close()
    assert [message.value() for message in messages] == [str(number).encode() for number in range(100)]


def test_java_missing_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(ConfigurationError, match="java is not installed") as caught:
        java()
    assert "openjdk-17-jre-headless" in caught.value.remedy


def test_an_old_java_is_refused(monkeypatch, tmp_path):
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="too old"):
        java()


@pytest.mark.broker
def test_a_taken_port_is_named_before_anything_starts(tmp_path):
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} is taken"):
            Broker(tmp_path, port=port).start()


@pytest.mark.broker
def test_a_full_disk_is_refused_before_the_broker_breaks_on_it(monkeypatch, tmp_path):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _path: SimpleNamespace(free=1024))
    with pytest.raises(ConfigurationError, match="MiB are free"):
        Broker(tmp_path).start()
