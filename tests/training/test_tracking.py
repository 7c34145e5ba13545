import json
from pathlib import Path

import pytest

from training.recipe import RECIPES
from training.tracking import publish

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore"),  # MLflow and SQLAlchemy warn of their own affairs
]


def test_a_continued_training_continues_its_run_and_repeats_nothing(tmp_path: Path) -> None:
    import mlflow

    run = tmp_path / "run"
    run.mkdir()
    history = run / "history.jsonl"
    history.write_text(json.dumps({"step": 10, "loss": 2.0}) + "\n")
    publish(run, RECIPES["resnet50"], tmp_path)
    with history.open("a") as stream:
        stream.write(json.dumps({"step": 20, "loss": 1.0}) + "\n")
    publish(run, RECIPES["resnet50"], tmp_path, {"test_accuracy": 0.5})
    publish(run, RECIPES["resnet50"], tmp_path)
    client = mlflow.MlflowClient()
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    (stored,) = client.search_runs([experiment.experiment_id])
    assert stored.data.params["architecture"] == "resnet50"
    assert stored.data.metrics["test_accuracy"] == 0.5
    losses = client.get_metric_history(stored.info.run_id, "loss")
    assert [(metric.step, metric.value) for metric in losses] == [(10, 2.0), (20, 1.0)]
