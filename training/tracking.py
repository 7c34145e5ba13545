"""MLflow: every training run with its recipe and curves, in a local SQLite store."""

import json
from pathlib import Path

from training.recipe import Recipe

EXPERIMENT = "leaf classifiers"


def publish(run: Path, recipe: Recipe, store: Path, results: dict[str, float] | None = None) -> None:
    """Put a run's parameters, its history so far and final results into MLflow; repeating adds nothing.

    The run's id and how many lines it holds stand in `<run>/mlflow.json`, so a continued training continues its run.
    """
    import mlflow  # noqa: PLC0415  2 s that only this pays

    mlflow.set_tracking_uri(f"sqlite:///{(store / 'mlflow.db').resolve()}")
    mlflow.set_experiment(EXPERIMENT)
    memory = run / "mlflow.json"
    state = json.loads(memory.read_text()) if memory.exists() else {"run_id": None, "lines": 0}
    history = read_history(run)
    with mlflow.start_run(run_id=state["run_id"], run_name=None if state["run_id"] else recipe.architecture) as active:
        if not state["run_id"]:
            mlflow.log_params(recipe.model_dump())
        for line in history[state["lines"] :]:
            mlflow.log_metrics({name: value for name, value in line.items() if name != "step"}, step=int(line["step"]))
        mlflow.log_metrics(results or {})
        memory.write_text(json.dumps({"run_id": active.info.run_id, "lines": len(history)}))


def read_history(run: Path) -> list[dict[str, float]]:
    """The lines the trainer recorded, oldest first."""
    path = run / "history.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
