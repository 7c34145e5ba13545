import os
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

from ops import leaf
from schemas import kafka

ROOT = Path(__file__).parents[2]


@pytest.fixture
def call(tmp_path):
    """`leaf ...` where nothing runs; gives its exit status and what it told."""

    def run(*arguments, **changes):
        environment = os.environ | {"KAFKA": "127.0.0.1:1", "REDIS": "127.0.0.1:1", "LEAF_VAR": str(tmp_path)} | changes
        command = [sys.executable, "-m", "ops.leaf", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=False
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


@pytest.mark.parametrize("arguments", [("ingest", "schemas", "--unordered"), ("replay", "--run", "x")])
def test_where_kafka_is_away_a_command_says_what_it_waits_for_and_ends(call, arguments):
    status, told = call(*arguments)
    assert status == 1
    assert "waiting for Kafka at 127.0.0.1:1, 6 s at most" in told
    assert "leaf: Kafka does not answer at 127.0.0.1:1" in told
    assert "set KAFKA=host:port" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("topics",),
        ("experiments", "list"),
        ("experiments", "start", "x", "--arm", "a=resnet50@5:1"),
        ("dead-letters", "list"),
        ("replay-report", "x"),
        ("export", "results"),
    ],
)
def test_every_command_that_needs_kafka_asks_for_it_first(arguments, monkeypatch, capsys):
    monkeypatch.setattr(kafka, "SECONDS", 0.5)
    monkeypatch.setenv("KAFKA", "127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["leaf", *arguments])
    with pytest.raises(SystemExit, match="1"):
        leaf.main()
    assert "Kafka does not answer at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("ingest", "--config", "nowhere.toml"), "nowhere.toml does not exist"),
        (("evaluate", "nowhere", "--model", "resnet50"), "nowhere does not exist"),
        (("export", "results", "--from", "2026-05-02", "--to", "2026-05-01"), "is after --to"),
        (("replay", "--run", "x", "--from", "2026-05-02", "--to", "2026-05-01"), "is after --to"),
        (("replay", "--run", "x", "--from", "0:9", "--to", "0:3"), "is after --to"),
        (("experiments", "start", "A b", "--arm", "a=resnet50@5:1"), "must be up to 40 lower-case letters, digits"),
        (("ingest", "schemas", "--camera", "a b"), "camera must be up to 64 letters, digits"),
        (("ingest", "schemas", "--unordered", "--limit", "0"), "limit must be 1 or more"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words_before_kafka_is_waited_for(arguments, reason, monkeypatch, capsys):
    monkeypatch.setattr("producer_api.ingestion.cli.yield_processor", lambda: None)
    monkeypatch.setattr("stream_workers.replay.cli.yield_processor", lambda: None)
    monkeypatch.setenv("KAFKA", "127.0.0.1:1")
    monkeypatch.setattr(sys, "argv", ["leaf", *arguments])
    with pytest.raises(SystemExit, match="1"):
        leaf.main()
    told = " ".join(capsys.readouterr().err.split())
    assert reason in told
    assert "waiting" not in told
    assert not any(word in told for word in ("Input should", "String should", "pattern", "^["))


SUBCOMMANDS = {
    "experiments": ["list", "show", "start", "set-weights", "stop"],
    "dead-letters": ["list", "show", "retry"],
}


@pytest.mark.parametrize(
    "command", [[], *([name] for name in leaf.COMMANDS), *([a, b] for a in SUBCOMMANDS for b in SUBCOMMANDS[a])]
)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_explains_itself_with_an_example(command, option, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["leaf", *command, option])
    with suppress(SystemExit):
        leaf.main()
    out, err = capsys.readouterr()
    assert f"leaf {' '.join(command)}".rstrip() in out.partition("Example")[2]
    assert err == ""


def test_the_version_is_the_packages(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["leaf", "--version"])
    leaf.main()
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert capsys.readouterr().out == f"leafstream {version}\n"


def test_an_address_without_a_port_is_named(call):
    status, told = call("doctor", REDIS="cache")
    assert status == 1
    assert "REDIS in the environment is wrong" in told


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("evaluate", "nowhere", "--model", "@5"), "there is no model @5"),
        (("ingest", "nowhere", "--unordered"), "nowhere does not exist"),
        (("ingest", "http://[::1", "--camera", "x"), "source: this is no address"),
    ],
)
def test_what_is_mistyped_is_said_so(call, arguments, reason):
    status, told = call(*arguments)
    assert status == 1
    assert told.startswith("leaf:")
    assert reason in told
