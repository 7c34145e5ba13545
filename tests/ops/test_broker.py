import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from ops import broker as module
from ops import jvm
from ops.broker import Broker
from ops.ports import LOOPBACK
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


@pytest.mark.broker
@pytest.mark.timeout(120)
def test_the_first_stop_archives_the_classes_that_the_next_start_maps(monkeypatch, tmp_path):
    archive = tmp_path / "classes" / "broker.jsa"
    monkeypatch.setattr(jvm, "archive", lambda _runtime: archive)
    broker = Broker(tmp_path / "kafka")
    with broker:
        assert not archive.exists()
    whole = archive.stat().st_size
    with broker:
        mapped = Path(f"/proc/{broker.pid}/maps").read_text()
    assert str(archive) in mapped
    os.truncate(archive, whole // 3)  # brings a JVM down
    with broker:
        assert broker.alive()
    assert archive.stat().st_size > whole // 2
    assert "cds" not in broker.log.read_text()


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
