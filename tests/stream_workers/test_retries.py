import json
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer
from typer.testing import CliRunner
from workers import image_event, jpeg, photograph

from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.image import ImageEvent
from stream_workers import retries as module
from stream_workers.cli import dead_letters
from stream_workers.dead_letters import DeadLetter, dead_letter_headers
from stream_workers.photograph import Position
from stream_workers.retries import Retries

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]


@pytest.fixture
def letters(cluster, request):
    """Three dead letters of this test's own; returns their ids."""
    made = []
    for number in range(3):
        item = photograph(number, camera="camera-1", key="camera-1", jpeg=jpeg(10 * number))
        item.headers = [*item.headers, ("ce_test", request.node.name.encode())]
        item.fail("failed", "no memory")
        headers = dead_letter_headers(item, "the-topic-id-of-a-test")
        made.append((headers, item.key, item.value))
    for headers, key, value in made:
        cluster.producer.produce("leaf.images.failed", partition=2, headers=headers, key=key, value=value)
    cluster.producer.flush(10)
    return request.node.name.encode()


def mine(retries: Retries, name: bytes) -> list[DeadLetter]:
    retries.read()
    return [letter for letter in retries.letters if ("ce_test", name) in letter.headers]


def images(cluster, name: bytes) -> list:
    return [message for message in cluster.read("leaf.images") if ("ce_test", name) in message.headers()]


def test_put_back_once_as_they_were(cluster, letters) -> None:
    retries = Retries(cluster.bootstrap)
    assert retries.put_back(mine(retries, letters), lambda _: None) == 3
    again = Retries(cluster.bootstrap)
    assert all(again.is_done(letter) for letter in mine(again, letters))
    assert again.put_back(mine(again, letters), lambda _: None) == 0
    back = images(cluster, letters)
    assert len(back) == 3
    events = sorted((ImageEvent.read(m.key(), m.value(), m.headers()) for m in back), key=lambda event: event.id)
    for number, event in enumerate(events):
        assert event == image_event(number, camera="camera-1", key="camera-1", jpeg=jpeg(10 * number), attempt=1)
    assert {message.partition() for message in back} == {0, 1, 2}
    assert not any(name.startswith("dead_letter_") for message in back for name, _ in message.headers())


def bury(cluster, name: bytes, number: int, *, jpeg: bytes = b"", error: str = "no memory") -> None:
    """One more dead letter of a test's own."""
    item = photograph(number, jpeg=jpeg)
    item.headers = [*item.headers, ("ce_test", name)]
    item.fail("failed", error)
    headers = dead_letter_headers(item, "the-topic-id-of-a-test")
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "message.max.bytes": 2 * 1024 * 1024})
    producer.produce("leaf.images.failed", partition=2, headers=headers, key=item.key, value=item.value)
    producer.flush(10)


def test_a_letter_above_a_megabyte_is_put_back_and_one_that_is_refused_stops_no_other(cluster, letters) -> None:
    """librdkafka's own limit is below the broker's, and a dead letter's topic takes more than the images'."""
    bury(cluster, letters, 3, jpeg=bytes(1_010_000))
    bury(cluster, letters, 4, jpeg=bytes(1_048_400))
    bury(cluster, letters, 5)
    retries = Retries(cluster.bootstrap)
    told = []
    with pytest.raises(BrokerUnavailableError, match=r"did not confirm failed:2:\d+: .*size too large"):
        retries.put_back(mine(retries, letters), told.append)
    assert sum(told) == 6
    assert len(images(cluster, letters)) == 5
    again = Retries(cluster.bootstrap)
    mine_again = mine(again, letters)
    assert [again.is_done(letter) for letter in mine_again] == [True, True, True, True, False, True]
    note = mine_again[4].note_headers()  # for the other tests, which retry all there is
    cluster.producer.produce("leaf.images.failed", partition=2, headers=note, value=b"")
    cluster.producer.flush(10)


def test_a_second_failure_counts_on(cluster, letters) -> None:
    retries = Retries(cluster.bootstrap)
    letter = mine(retries, letters)[0]
    twice = DeadLetter(**(letter.__dict__ | {"headers": [*letter.original_headers()]}))
    assert twice.attempt == 1
    assert dict(twice.original_headers())["ce_attempt"] == b"2"


def test_what_the_broker_refuses_is_said_so(monkeypatch) -> None:
    """A KafkaError can't be compared with None: the comparison leaves an exception behind that comes up elsewhere."""
    soon = {"message.timeout.ms": 200}
    monkeypatch.setattr(module, "Producer", lambda settings: Producer(settings | soon))
    item = photograph(1)
    item.fail("failed", "no memory")
    letter = DeadLetter(
        kind="failed",
        position=Position(0, 0),
        at=datetime.now(UTC),
        key=item.key,
        value=item.value,
        headers=dead_letter_headers(item, "the-topic-id-of-a-test"),
    )
    retries = Retries("127.0.0.1:9")
    with pytest.raises(BrokerUnavailableError, match=r"did not confirm .*Message timed out"):
        retries.put_back([letter], lambda _: None)
    assert not retries.is_done(letter)


def invoke(cluster, monkeypatch, *arguments: str):
    monkeypatch.setenv("KAFKA", cluster.bootstrap)
    return CliRunner().invoke(dead_letters, arguments, catch_exceptions=False)


def test_list_show_and_retry(cluster, letters, monkeypatch, tmp_path) -> None:
    listed = json.loads(invoke(cluster, monkeypatch, "list", "--json").stdout)["dead_letters"]
    ours = [row for row in listed if row["image_id"].startswith("image-0000") and not row["retried"]]
    assert len(ours) >= 3
    row = ours[-1]
    assert (row["camera"], row["error"], row["attempt"]) == ("camera-1", "no memory", 0)
    shown = json.loads(
        invoke(cluster, monkeypatch, "show", row["id"], "--save", str(tmp_path / "a.jpg"), "--json").stdout
    )
    assert shown["headers"]["ce_id"] == row["image_id"]
    assert (tmp_path / "a.jpg").stat().st_size == row["bytes"]
    assert row["id"] in invoke(cluster, monkeypatch, "list", "--kind", "failed").stdout.replace("\n", "")
    assert json.loads(invoke(cluster, monkeypatch, "retry", row["id"], "--json").stdout) == {"retried": 1, "skipped": 0}
    assert json.loads(invoke(cluster, monkeypatch, "retry", row["id"], "--json").stdout) == {"retried": 0, "skipped": 1}
    assert json.loads(invoke(cluster, monkeypatch, "show", row["id"], "--json").stdout)["retried"] is True
    assert json.loads(invoke(cluster, monkeypatch, "retry", "--all", "--json").stdout)["retried"] >= 2


def test_a_letter_named_twice_is_put_back_once(cluster, letters, monkeypatch) -> None:
    id_ = mine(Retries(cluster.bootstrap), letters)[0].id
    assert json.loads(invoke(cluster, monkeypatch, "retry", id_, id_, "--json").stdout) == {"retried": 1, "skipped": 0}
    assert len(images(cluster, letters)) == 1


def test_brackets_in_an_error_are_shown_as_they_are(cluster, letters, monkeypatch) -> None:
    """rich takes them for markup, and raises where it does not come out even."""
    monkeypatch.setenv("COLUMNS", "300")
    bury(cluster, letters, 3, error="'[/x]' is malformed [type=missing]")
    id_ = mine(Retries(cluster.bootstrap), letters)[-1].id
    assert "'[/x]' is malformed [type=missing]" in invoke(cluster, monkeypatch, "list").stdout
    assert "'[/x]' is malformed [type=missing]" in invoke(cluster, monkeypatch, "show", id_).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["retry"], "name the dead letters"),
        (["retry", "failed:0:99999"], "no dead letter failed:0:99999"),
        (["show", "nonsense"], "no dead letter nonsense"),
        (["list", "--kind", "lost"], "no kind 'lost'"),
    ],
)
def test_wrong_arguments_change_nothing(cluster, monkeypatch, arguments, message) -> None:
    with pytest.raises(ConfigurationError, match=message):
        invoke(cluster, monkeypatch, *arguments)


def test_whatever_stands_in_a_record_it_can_be_looked_at(cluster, request, monkeypatch) -> None:
    monkeypatch.setenv("KAFKA", cluster.bootstrap)
    item = photograph(7, camera="camera-1", key="camera-1", jpeg=b"no JPEG")
    item.headers = [*item.headers, ("ce_frame", b"old [copy].jpg"), ("ce_test", request.node.name.encode())]
    item.fail("unprocessable", "bad [/tag]")
    headers = dead_letter_headers(item, "the-topic-id-of-a-test")
    cluster.producer.produce("leaf.images.unprocessable", partition=2, headers=headers, key=item.key, value=item.value)
    cluster.producer.flush(10)
    (letter,) = mine(Retries(cluster.bootstrap), request.node.name.encode())
    listed = CliRunner().invoke(dead_letters, ["list"])
    assert listed.exit_code == 0
    assert letter.id in listed.stdout  # also in a terminal of 80 columns
    shown = CliRunner().invoke(dead_letters, ["show", letter.id])
    assert "old [copy].jpg" in shown.stdout
