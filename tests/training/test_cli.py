from pathlib import Path
from typing import Any

import pytest
from leaves import encoded, leaf
from typer.testing import CliRunner

from training import cli
from training.rounds import Rounds

BOTH = ["efficientnetb0", "resnet50"]


def test_the_second_round_learns_from_both_networks_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed run, too: what is exported is not trained again."""
    calls: list[tuple[Any, ...]] = []

    def train(architecture: str, minutes: float, init: str, teacher: list[str]) -> None:
        calls.append((architecture, minutes, init, list(teacher)))

    def export(architecture: str, version: str, px: int) -> None:
        card = tmp_path / "models" / architecture / version / "card.json"
        card.parent.mkdir(parents=True)
        card.write_text(str(px))

    monkeypatch.setattr(cli, "MODELS", tmp_path / "models")
    monkeypatch.setattr(cli, "WORK", tmp_path)
    monkeypatch.setattr(cli, "train", train)
    monkeypatch.setattr(cli, "export", export)
    for name in ("_prepare", "calibrate", "report"):
        monkeypatch.setattr(cli, name, lambda *arguments, name=name, **_: calls.append((name, *arguments)))
    export("efficientnetb0", "5", 128)
    assert Rounds(cli.MODELS, cli.WORK).versions == ["6", "7"]
    export("efficientnetb0", "6", 128)
    result = CliRunner().invoke(cli.app, ["all", "--minutes", "5"])
    assert result.exit_code == 0, result.output
    teachers = ["efficientnetb0@6", "resnet50@6"]
    assert [call for call in calls if call[0] in BOTH] == [
        ("resnet50", 5.0, "scratch", []),
        ("efficientnetb0", 5.0, "efficientnetb0@6", teachers),
        ("resnet50", 5.0, "resnet50@6", teachers),
    ]
    assert [call[:3] for call in calls if call[0] == "calibrate"] == [("calibrate", name, "7") for name in BOTH]
    assert calls[-1][0] == "report"
    assert Rounds(cli.MODELS, cli.WORK).versions == ["8", "9"]


def test_only_what_is_not_prepared_is_prepared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "WORK", tmp_path)
    for split in ("train", "val"):
        picture = tmp_path / "leaves" / split / "healthy" / "leaf.png"
        picture.parent.mkdir(parents=True)
        picture.write_bytes(encoded(leaf(1, 0)))
    cli._prepare(tmp_path / "leaves", again=False)
    finished, cut_short = (tmp_path / "data" / split / "labels.npy" for split in ("train", "val"))
    cut_short.unlink()
    before = finished.stat().st_mtime_ns
    cli._prepare(tmp_path / "leaves", again=False)
    assert cut_short.exists()
    assert finished.stat().st_mtime_ns == before
