"""Bulk production: `leaf ingest` of a folder of 256 px JPEGs into the broker alone, with nobody reading."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.rig import ROOT
from ops.broker import Broker
from ops.settings import TopicSettings
from ops.topics import create_topics

IMAGES: Final = 10_000


def measure(directory: Path, photographs: list[bytes]) -> float:
    """Images a second, process start and flush included."""
    folder = directory / "photographs"
    folder.mkdir(parents=True)
    for number in range(IMAGES):
        (folder / f"{number:05}.jpg").write_bytes(photographs[number % len(photographs)])
    with Broker(directory / "kafka") as broker:
        create_topics(TopicSettings(kafka=broker.address))
        # Nobody works the backlog off here, so ingestion must not wait for it.
        pace = {"LEAF_INGEST_MAX_LAG": str(IMAGES * 10), "KAFKA": broker.address, "LEAF_VAR": str(directory)}
        command = [
            sys.executable,
            "-m",
            "ops.leaf",
            "ingest",
            str(folder),
            "--camera",
            "bench",
            "--unordered",
            "--json",
        ]
        done = subprocess.run(command, env=os.environ | pace, cwd=ROOT, capture_output=True, text=True, check=True)
        told = json.loads(done.stdout.splitlines()[-1])
        return float(told["sent"]) / float(told["seconds"])
