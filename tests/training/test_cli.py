from pathlib import Path
from typing import Any

import pytest
from leaves import encoded, leaf
from typer.testing import CliRunner
from workers import write_model

from schemas.card import ModelCard
from training import cli

BOTH = ["efficientnetb0", "resnet50"]


def test_the_second_round_learns_from_both_networks_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed run, too: what is exported is not trained again. Workers see nothing before all is done."""
    calls: list[tuple[Any, ...]] = []
    models, made = tmp_path / "models", tmp_path / "work" / "models"

    def train(architecture: str, minutes: float, init: str, teacher: list[str], *, models: Path) -> None:
        assert models == made
        calls.append((architecture, minutes, init, list(teacher)))

    def export(architecture: str, version: str, px: int, models: Path) -> None:
        write_model(models, architecture, version, preprocessing={"px": px})

    def calibrate(architecture: str, version: str, leaves: Path, models: Path) -> None:
        calls.append(("calibrate", architecture, version, models))
        assert [path.name for path in tmp_path.glob("models/*/*")] == ["5"]

    monkeypatch.setattr(cli, "MODELS", models)
    monkeypatch.setattr(cli, "WORK", tmp_path / "work")
    for function in (train, export, calibrate):
        monkeypatch.setattr(cli, function.__name__, function)
    for name in ("_prepare", "report"):
        monkeypatch.setattr(cli, name, lambda *arguments, name=name, **_: calls.append((name, *arguments)))
    export("efficientnetb0", "5", 128, models)
    export("efficientnetb0", "1", 128, made)
    result = CliRunner().invoke(cli.app, ["all", "--minutes", "5"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    teachers = ["efficientnetb0@1", "resnet50@1"]
    assert [call for call in calls if call[0] in BOTH] == [
        ("resnet50", 5.0, "scratch", []),
        ("efficientnetb0", 5.0, "efficientnetb0@1", teachers),
        ("resnet50", 5.0, "resnet50@1", teachers),
    ]
    assert [call[1:] for call in calls if call[0] == "calibrate"] == [(name, "2", made) for name in BOTH]
    assert calls[-1][0] == "report"
    published = [ModelCard.load(models / name / "6") for name in BOTH]
    assert [(card.id, card.preprocessing.px) for card in published] == [("efficientnetb0@6", 128), ("resnet50@6", 160)]
    assert not made.exists()


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
