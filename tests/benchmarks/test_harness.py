import json
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from benchmarks import bulk
from benchmarks.__main__ import app
from benchmarks.models import newest_models
from schemas.card import ModelCard


@pytest.mark.parametrize(
    ("only", "reason"),
    [(["letency"], "there is no section letency"), (["latency"], "add --only pipeline")],
)
def test_sections_that_can_not_be_measured_are_refused(only, reason):
    done = CliRunner().invoke(app, [part for name in only for part in ("--only", name)])
    assert done.exit_code == 2
    assert reason in " ".join(done.output.replace("│", "").split())


def test_the_newest_version_is_the_one_that_was_trained_last(tmp_path, monkeypatch):
    for version, day in (("9", 1), ("10", 2)):
        calibration = {"temperature": 1, "confidence_threshold": 0.5, "gate_temperature": 1, "gate_threshold": 0.5}
        card = {
            "name": "resnet50",
            "version": version,
            "architecture": "resnet50",
            "preprocessing": {"px": 128},
            "files": {},
            "batch_ceiling": {"openvino": 8},
            "calibration": calibration,
            "metrics": {},
            "data_fingerprint": "d",
            "code_fingerprint": "c",
            "recipe": {},
            "trained_at": f"2026-11-0{day}T00:00:00Z",
        }
        path = tmp_path / "models" / "resnet50" / version / "card.json"
        path.parent.mkdir(parents=True)
        path.write_text(ModelCard.model_validate(card).model_dump_json())
    monkeypatch.chdir(tmp_path)
    assert [directory.name for directory in newest_models()] == ["10"]


def test_the_start_of_a_bulk_load_s_process_counts(tmp_path, monkeypatch):
    def run(*_arguments, **_options):
        time.sleep(0.5)  # the ingest itself says 0.1 s
        return SimpleNamespace(stdout=json.dumps({"sent": 100, "seconds": 0.1}))

    monkeypatch.setattr(bulk, "write_folder", lambda *_: tmp_path)
    monkeypatch.setattr(bulk, "Broker", lambda _: nullcontext(SimpleNamespace(address="127.0.0.1:1")))
    monkeypatch.setattr(bulk, "create_topics", lambda _: None)
    monkeypatch.setattr(bulk.subprocess, "run", run)
    assert bulk.measure(tmp_path, []) == pytest.approx(200, rel=0.2)
