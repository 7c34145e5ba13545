"""What is told: one table, one JSON file, one plot."""

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from rich.console import Console
from rich.table import Table

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results.json"
PLOT: Final = HERE / "load.png"

#: Key -> (what it is, what it should be).
ASKED: Final = {
    "usual_ratio": ("results a second over the usual design's", ">= 15"),
    "engine_fraction": ("results a second over the bare engine's", ">= 0.55"),
    "overhead_core_ms": ("CPU ms an image that are not the engine's", "<= 3"),
    "edge_fraction": ("256 px uploads a CPU second over a bare endpoint's", ">= 0.35"),
    "edge_large_ratio": ("12-megapixel upload over Pillow's decode and resize", "<= 1.3"),
    "latency_half_load_ratio": ("p50 at half load over one single-image inference", "<= 4"),
    "sink_per_s": ("results a second through the sink alone", ">= 10000"),
    "bulk_per_s": ("256 px JPEGs a second into the broker alone", ">= 1500"),
    "feeds": ("p95 of uploads beside a feed over p95 without", "<= 2"),
    "scaling": ("throughput over linear, by number of workers", ">= 0.9"),
    "worker_rss_mb": ("resident memory of a worker, MB", "<= 450"),
    "first_prediction_s": ("worker start to first prediction, s", "<= 4"),
}


def spread(values: Iterable[float]) -> dict[str, float]:
    """Median, least and most."""
    listed = sorted(values)
    return {"median": round(statistics.median(listed), 3), "min": round(listed[0], 3), "max": round(listed[-1], 3)}


def table(results: dict[str, Any]) -> None:
    """Print what was asked for and what was measured."""
    rows = Table("key", "what", "asked", "measured", "spread", title=f"at {results['input_px']} px")
    for key, (what, asked) in ASKED.items():
        span = results["spreads"].get(key)
        between = f"{span['min']:g} to {span['max']:g}" if span else ""
        rows.add_row(key, what, asked, str(results.get(key, "not measured")), between)
    for name, ms in sorted(results.get("cpu_ms", {}).items()):
        rows.add_row(f"cpu_ms.{name}", "CPU ms an image", "", f"{ms:.2f}", "")
    for percent, told in results.get("latency_ms", {}).items():
        text = f"p50 {told['p50']}, p95 {told['p95']}, p99 {told['p99']}"
        rows.add_row(f"latency_ms.{percent}", f"upload to result at {percent} % of peak, ms", "", text, "")
    Console(stderr=True, width=140).print(rows)


def plot(results: dict[str, Any]) -> None:
    """Throughput and latency against load."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  after the backend is chosen

    latency = results["latency_ms"]
    offered = [results["ours_per_s"] * int(percent) / 100 for percent in latency]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in ("p50", "p95", "p99"):
        axes.plot(offered, [told[name] for told in latency.values()], marker="o", label=name)
    axes.axvline(results["ours_per_s"], color="grey", linestyle="--", label="peak")
    axes.axhline(results["single_image_ms"], color="grey", linestyle=":", label="one single-image inference")
    axes.set(xlabel="offered load, images/s", ylabel="upload to result, ms", yscale="log", ylim=(1, None))
    axes.set_title("Latency against load, open loop, all services on one machine")
    axes.legend()
    figure.savefig(PLOT, dpi=110)
    plt.close(figure)


def save(results: dict[str, Any]) -> None:
    """Write the JSON file and print the same on one line, last."""
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results))
