"""`make bench`: everything in one run, comparisons in turn (A B A B)."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from benchmarks import baseline, bulk, edge, feeds, photographs, pipeline, report, scaling, sink, startup
from benchmarks.models import newest_models
from benchmarks.rig import ROOT
from schemas.card import ModelCard
from schemas.settings import var_dir

ROUNDS: Final = 2
app = typer.Typer(add_completion=False)
console = Console(stderr=True, highlight=False)


@app.command()
def main(
    only: Annotated[list[str] | None, typer.Option(help="Only these sections, as README.md names them.")] = None,
) -> None:
    """Measure Leafstream on this machine: a table, benchmarks/results.json, benchmarks/load.png, and the JSON last."""
    if strange := set(only or ()) - SECTIONS.keys():
        msg = f"there is no section {', '.join(sorted(strange))}; there are {', '.join(SECTIONS)}"
        raise typer.BadParameter(msg)
    if only and "latency" in only and "pipeline" not in only:
        msg = "latency is measured at parts of the peak: add --only pipeline"
        raise typer.BadParameter(msg)
    shots = photographs.small()
    bodies = [photographs.form(shot) for shot in shots]
    results: dict[str, Any] = {"cores": os.cpu_count(), "spreads": {}}
    for name, section in SECTIONS.items():
        if not only or name in only:
            section(results, shots, bodies)
    if not only or set(SECTIONS) <= set(only):
        report.table(results)
        report.plot(results)
        report.save(results)
    else:
        print(json.dumps(results))


def _compare(results: dict[str, Any], shots: list[bytes], bodies: list[bytes]) -> None:
    """Ours, the bare engine and the usual design in turn."""
    peaks: list[pipeline.Peak] = []
    engines: list[dict[str, float]] = []
    usual: list[float] = []
    for turn in range(ROUNDS):
        with _scratch(f"ours, round {turn + 1}") as directory:
            peaks.append(pipeline.peak(directory, bodies))
        console.print(f"  {peaks[-1].images_per_s:.1f} images/s")
        told = subprocess.run([sys.executable, "-m", "benchmarks.engine"], cwd=ROOT, check=True, capture_output=True)
        engines.append(json.loads(told.stdout))
        for processes in (1, 2):
            with _scratch(f"the usual design, {processes} processes") as directory:
                usual.append(baseline.rate(directory, shots, processes))
            console.print(f"  {usual[-1]:.1f} images/s")
    best = [max(usual[2 * turn : 2 * turn + 2]) for turn in range(ROUNDS)]
    cores = engines[0]["threads"]
    cpu = {name: statistics.median(peak.cpu_ms[name] for peak in peaks) for name in peaks[0].cpu_ms}
    overheads = [
        sum(peak.cpu_ms.values()) - cores * 1000 / engine["images_per_s"]
        for peak, engine in zip(peaks, engines, strict=True)
    ]
    results |= {
        "input_px": int(engines[0]["px"]),
        "ours_per_s": round(statistics.median(peak.images_per_s for peak in peaks), 1),
        "engine_per_s": round(statistics.median(engine["images_per_s"] for engine in engines), 1),
        "usual_per_s": round(statistics.median(best), 2),
        "single_image_ms": round(statistics.median(engine["single_ms"] for engine in engines), 2),
        "cpu_ms": {name: round(ms, 3) for name, ms in cpu.items()},
    }
    _put(results, "usual_ratio", [p.images_per_s / b for p, b in zip(peaks, best, strict=True)])
    _put(results, "engine_fraction", [p.images_per_s / e["images_per_s"] for p, e in zip(peaks, engines, strict=True)])
    _put(results, "overhead_core_ms", overheads)


def _latency(results: dict[str, Any], _shots: list[bytes], bodies: list[bytes]) -> None:
    with _scratch("latency") as directory:
        results["latency_ms"] = pipeline.latencies(directory, bodies, results["ours_per_s"])
    results["latency_half_load_ratio"] = round(results["latency_ms"]["50"]["p50"] / results["single_image_ms"], 2)


def _edge(results: dict[str, Any], _shots: list[bytes], bodies: list[bytes]) -> None:
    with _scratch("edge") as directory:
        told = edge.measure(directory, bodies)
    _put(results, "edge_fraction", told.fraction)
    _put(results, "edge_large_ratio", told.large_ratio)
    results["edge_per_core_s"] = round(told.per_core_s)


def _sink(results: dict[str, Any], _shots: list[bytes], _bodies: list[bytes]) -> None:
    with _scratch("sink") as directory:
        results["sink_per_s"] = round(sink.measure(directory))


def _bulk(results: dict[str, Any], shots: list[bytes], _bodies: list[bytes]) -> None:
    with _scratch("bulk") as directory:
        results["bulk_per_s"] = round(bulk.measure(directory, shots))


def _feeds(results: dict[str, Any], shots: list[bytes], bodies: list[bytes]) -> None:
    with _scratch("feeds") as directory:
        ratios = feeds.measure(directory, shots, bodies)._asdict()
    results["feeds"] = {name: round(statistics.median(values), 2) for name, values in ratios.items()}
    results["spreads"] |= {f"feeds.{name}": report.spread(values) for name, values in ratios.items()}


def _scaling(results: dict[str, Any], shots: list[bytes], _bodies: list[bytes]) -> None:
    with _scratch("scaling") as directory:
        results["scaling"] = {str(n): round(part, 3) for n, part in scaling.measure(directory, shots).items()}


def _startup(results: dict[str, Any], shots: list[bytes], _bodies: list[bytes]) -> None:
    with _scratch("startup") as directory:
        begun = startup.measure(directory, shots)
    results |= {"first_prediction_s": round(begun.first_prediction_s, 2), "worker_rss_mb": round(begun.rss_mb)}


def _accuracy(results: dict[str, Any], _shots: list[bytes], _bodies: list[bytes]) -> None:
    """Of the served models on the test split, as their cards say."""
    cards = [ModelCard.load(directory) for directory in newest_models()]
    results["accuracy"] = {card.id: card.metrics["test"].accuracy for card in cards}


SECTIONS: Final[dict[str, Callable[[dict[str, Any], list[bytes], list[bytes]], None]]] = {
    "pipeline": _compare,
    "latency": _latency,
    "edge": _edge,
    "sink": _sink,
    "bulk": _bulk,
    "feeds": _feeds,
    "scaling": _scaling,
    "startup": _startup,
    "accuracy": _accuracy,
}


def _put(results: dict[str, Any], key: str, values: list[float]) -> None:
    results[key] = round(statistics.median(values), 3)
    results["spreads"][key] = report.spread(values)


@contextmanager
def _scratch(what: str) -> Iterator[Path]:
    """A directory for one measurement, removed after it."""
    console.print(what)
    directory = var_dir().absolute() / "bench"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    app()
