"""`leaf dead-letters` without a broker: what it prints, and which letters it takes."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner
from workers import photograph

from schemas.errors import ConfigurationError
from stream_workers import cli
from stream_workers.dead_letters import DeadLetter, dead_letter_headers
from stream_workers.photograph import Position
from stream_workers.retries import Retries


def letter(number: int, kind: str) -> DeadLetter:
    item = photograph(number, camera="camera-1")
    item.fail("failed", f"error {number}")
    headers = dead_letter_headers(item, "topic-id")
    at = datetime(2026, 11, 23, 12, 0, number, tzinfo=UTC)
    return DeadLetter(
        kind=kind, position=Position(2, number), at=at, key=item.key, value=bytes(number), headers=headers
    )


class Known(Retries):
    """Two letters that failed, the first was put back, and one that is unprocessable; remembers what it puts back."""

    def __init__(self) -> None:
        super().__init__("nowhere")
        self.letters = [letter(11, "failed"), letter(12, "unprocessable"), letter(13, "failed")]
        self._done = {("failed", Position(2, 11))}
        self.back: list[str] = []
        self.steps: list[int] = []

    def put_back(self, letters, on_progress) -> int:
        self.back = [letter.id for letter in letters]
        for _ in letters:
            on_progress(1)
        return sum(not self.is_done(letter) for letter in letters)


@pytest.fixture
def retries(monkeypatch) -> Known:
    known = Known()
    monkeypatch.setattr(cli, "_read", lambda: known)
    monkeypatch.setenv("COLUMNS", "300")
    return known


def invoke(*arguments: str):
    return CliRunner().invoke(cli.dead_letters, arguments, catch_exceptions=False)


def test_each_letter_with_its_error(retries) -> None:
    head, *lines = [line.split() for line in invoke("list").stdout.splitlines()]
    assert head == ["id", "what"]
    assert lines[:3] == [
        ["failed:2:11", "2026-11-23T12:00:11+00:00,", "attempt", "0,", "retried,", "11", "bytes"],
        ["image", "image-0000000000000011"],
        ["error", "11"],
    ]
    assert lines[3] == ["unprocessable:2:12", "2026-11-23T12:00:12+00:00,", "attempt", "0,", "12", "bytes"]
    assert len(lines) == 9


@pytest.mark.parametrize("columns", ["80", "60"])
def test_the_list_fits_a_terminal_and_breaks_no_id(retries, monkeypatch, columns) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    worst = letter(14, "unprocessable")
    headers = [("ce_id", b"x" * 80), ("dead_letter_error", b"decoder: " + b"word " * 40 + b"y" * 200), *worst.headers]
    names = {name for name, _ in headers}
    kept = [next(each for each in headers if each[0] == name) for name in names]
    retries.letters = [replace(worst, position=Position(999, 99_999_999_999), headers=kept)]
    lines = invoke("list").stdout.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert "unprocessable:999:99999999999" in lines[1]
    assert sum(line.count("x") for line in lines) == 80


def test_no_letters_at_all(retries) -> None:
    retries.letters.clear()
    assert invoke("list").stdout == "There are no dead letters.\n"
    assert json.loads(invoke("list", "--json").stdout) == {"dead_letters": []}


def test_only_one_kind(retries) -> None:
    def listed(*arguments: str) -> list[tuple[str, bool]]:
        rows = json.loads(invoke("list", "--json", *arguments).stdout)["dead_letters"]
        return [(row["id"], row["retried"]) for row in rows]

    assert listed("--kind", "unprocessable") == [("unprocessable:2:12", False)]
    assert listed("--kind", "failed") == [("failed:2:11", True), ("failed:2:13", False)]
    assert len(listed()) == 3


def test_one_letter_with_its_headers_and_bytes(retries, tmp_path) -> None:
    lines = invoke("show", "failed:2:13", "--save", str(tmp_path / "a.jpg")).stdout.splitlines()
    shown = {words[0]: words[1:] for words in map(str.split, lines)}
    assert shown["source"] == ["1:13"]
    assert shown["ce_camera"] == ["camera-1"]
    assert shown["dead_letter_topic_id"] == ["topic-id"]
    assert (tmp_path / "a.jpg").read_bytes() == bytes(13)


def test_headers_that_are_no_text_are_shown_too(retries) -> None:
    retries.letters[0].headers.append(("odd", b"\xff"))
    assert json.loads(invoke("show", "failed:2:11", "--json").stdout)["headers"]["odd"] == "\ufffd"


@pytest.mark.parametrize(
    ("arguments", "back"),
    [
        (["--all"], ["failed:2:11", "unprocessable:2:12", "failed:2:13"]),
        (["--all", "--kind", "unprocessable"], ["unprocessable:2:12"]),
        (["failed:2:13", "failed:2:11"], ["failed:2:13", "failed:2:11"]),
    ],
)
def test_which_letters_are_put_back(retries, arguments, back) -> None:
    done = back.count("failed:2:11")
    assert invoke("retry", *arguments).stdout.startswith(f"{len(back) - done} put back, {done} skipped")
    assert retries.back == back
    told = {"retried": len(back) - done, "skipped": done}
    assert json.loads(invoke("retry", *arguments, "--json").stdout) == told


@pytest.mark.parametrize("arguments", [[], ["failed:2:13", "--all"]])
def test_either_some_or_all(retries, arguments) -> None:
    with pytest.raises(ConfigurationError, match="name the dead letters"):
        invoke("retry", *arguments)
    assert retries.back == []


@pytest.mark.parametrize(
    ("terminal", "arguments", "shown"), [(True, [], True), (True, ["--json"], False), (False, [], False)]
)
def test_progress_is_for_terminals(retries, monkeypatch, terminal, arguments, shown) -> None:
    seen = []

    class Progress(cli.Progress):
        def __init__(self, *columns, disable: bool, **named) -> None:
            super().__init__(*columns, disable=disable, **named)
            seen.append((self, not disable))

    monkeypatch.setattr(cli, "Progress", Progress)
    monkeypatch.setattr(cli, "sys", type("", (), {"stderr": type("", (), {"isatty": lambda: terminal})}))
    invoke("retry", "--all", *arguments)
    ((progress, enabled),) = seen
    assert enabled is shown
    assert (progress.tasks[0].completed, progress.tasks[0].total) == (3, 3)


@pytest.mark.parametrize(
    "arguments", [("list",), ("retry", "--all"), ("retry", "failed:2:13"), ("retry", "failed:2:13", "failed:2:11")]
)
def test_a_kind_that_there_is_not_is_refused(retries, arguments) -> None:
    with pytest.raises(ConfigurationError, match="no kind 'nonsense'"):
        invoke(*arguments, "--kind", "nonsense")
    assert retries.back == []


def test_letters_of_another_kind_than_asked_for_are_not_put_back(retries) -> None:
    with pytest.raises(ConfigurationError, match="no dead letter failed:2:13"):
        invoke("retry", "unprocessable:2:12", "failed:2:13", "--kind", "unprocessable")
    assert retries.back == []
    invoke("retry", "unprocessable:2:12", "--kind", "unprocessable")
    assert retries.back == ["unprocessable:2:12"]


def test_a_letter_with_null_headers_is_shown(retries) -> None:
    dead = retries.letters[0]
    retries.letters[0] = DeadLetter(**(vars(dead) | {"headers": [("x", None), *dead.headers]}))
    assert json.loads(invoke("show", dead.id, "--json").stdout)["headers"]["x"] == ""
