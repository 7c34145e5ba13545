"""Each setting that promise 2 or the memory bound rests on."""

import pytest
from workers import FlatEngine, write_model

from stream_workers.app import faust_app, images
from stream_workers.settings import WorkerSettings
from stream_workers.worker import Worker


@pytest.fixture
def conf():
    return faust_app(WorkerSettings(batch_images=16, mode="real")).conf


def test_a_stop_waits_for_what_is_in_work(conf) -> None:
    assert conf.stream_wait_empty is True


def test_buffers_are_counted_in_batches_not_in_gigabytes(conf) -> None:
    assert conf.broker_max_poll_records == 8
    assert conf.stream_buffer_maxsize / 1.25 > 2 * 8  # below Faust's mark with one poll in it and one on its way
    assert conf.consumer_max_fetch_size <= 512 * 1024


def test_predictions_are_not_held_back(conf) -> None:
    assert conf.producer_linger == 0


def test_every_replica_acknowledges(conf) -> None:
    assert conf.producer_acks == -1


def test_faust_makes_no_topics(conf) -> None:
    assert conf.topic_disable_leader is True
    assert conf.topic_allow_declare is False


def test_no_web_port(conf) -> None:
    assert conf.web_enabled is False


def test_guarantees_that_crash_are_not_used(conf) -> None:
    assert conf.processing_guarantee.value == "at_least_once"
    assert conf.producer_threaded is False


def test_dead_letters_are_larger_than_what_the_broker_takes(conf) -> None:
    assert conf.producer_max_request_size > 1024 * 1024


def test_the_embedded_brokers_session() -> None:
    assert faust_app(WorkerSettings(mode="embedded")).conf.broker_session_timeout == 6


def test_several_brokers() -> None:
    app = faust_app(WorkerSettings(kafka="a:1,b:2", mode="real"))
    assert [str(url) for url in app.conf.broker] == ["aiokafka://a:1", "aiokafka://b:2"]


def test_raw_bytes() -> None:
    topic = images(faust_app(WorkerSettings(mode="real")))
    assert (topic.key_type, topic.value_type) == (bytes, bytes)


def test_one_reader(tmp_path) -> None:
    """Several would acknowledge out of order."""
    write_model(tmp_path / "models")
    settings = WorkerSettings(mode="real", models=tmp_path / "models", journal=tmp_path / "journal")
    worker = Worker(settings, "topic", lambda *_: FlatEngine())
    (agent,) = worker._app.agents.values()
    assert agent.concurrency == 1
    worker._journal.close()


def test_the_folder_of_fausts_data_is_made_with_those_above_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "not" / "there"))
    faust_app(WorkerSettings(kafka="127.0.0.1:9"))
    assert (tmp_path / "not" / "there" / "faust").is_dir()
