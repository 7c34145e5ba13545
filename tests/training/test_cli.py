from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from training import cli

BOTH = ["efficientnetb0", "resnet50"]


def test_the_second_round_learns_from_both_networks_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed run, too: what is exported is not trained again."""
    calls: list[tuple[Any, ...]] = []

    def train(architecture: str, minutes: float, init: str, teacher: list[str]) -> None:
        calls.append((architecture, minutes, init, list(teacher)))

    def export(architecture: str, version: str, px: int) -> None:
        card = tmp_path / architecture / version / "card.json"
        card.parent.mkdir(parents=True)
        card.write_text(str(px))

    monkeypatch.setattr(cli, "MODELS", tmp_path)
    monkeypatch.setattr(cli, "train", train)
    monkeypatch.setattr(cli, "export", export)
    for name in ("prepare", "calibrate", "report"):
        monkeypatch.setattr(cli, name, lambda *arguments, name=name: calls.append((name, *arguments)))
    export("efficientnetb0", "6", 128)
    result = CliRunner().invoke(cli.app, ["all", "--minutes", "5", "--versions", "6", "7"])
    assert result.exit_code == 0, result.output
    teachers = ["efficientnetb0@6", "resnet50@6"]
    assert [call for call in calls if call[0] in BOTH] == [
        ("resnet50", 5.0, "scratch", []),
        ("efficientnetb0", 5.0, "efficientnetb0@6", teachers),
        ("resnet50", 5.0, "resnet50@6", teachers),
    ]
    assert [call[:3] for call in calls if call[0] == "calibrate"] == [("calibrate", name, "7") for name in BOTH]
    assert calls[-1][0] == "report"
