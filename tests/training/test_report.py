from pathlib import Path
from types import SimpleNamespace

import numpy as np

from schemas.card import Calibration
from stream_workers.engines import Outputs
from training.dataset import NEGATIVE
from training.inference import Served
from training.report import _field_table

OPEN = Calibration(temperature=1, gate_temperature=1, gate_threshold=0.5, confidence_threshold=0.5)


def test_the_field_table_counts_tomato_leaves_only(tmp_path: Path) -> None:
    logits = 9 * np.eye(10)[[0, 9, 9]].astype(np.float32)
    outputs = Outputs(logits, np.array([9, -9, -9], np.float32), np.zeros((3, 2, 2, 10)))
    field = Served(outputs, np.array([0, NEGATIVE, NEGATIVE]), ["a", "b", "c"], [])
    table = _field_table(SimpleNamespace(calibration=OPEN), field, tmp_path / "field.zip")
    rows = [line for line in table if line.startswith("|") and "---" not in line]
    assert rows == ["| class | leaf groups | right |", "| Bacterial spot | 1 | 1 |", "| all | 1 | 1 (1.00) |"]
    assert "1.00 of them" in "".join(table)
