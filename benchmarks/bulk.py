"""Bulk production: `leaf ingest` of a folder of 256 px JPEGs into the broker alone, with nobody reading."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks.photographs import write_folder
from benchmarks.rig import ROOT
from ops.broker import Broker
from ops.settings import TopicSettings
from ops.topics import create_topics

IMAGES: Final = 10_000


def measure(directory: Path, photographs: list[bytes]) -> float:
    """Images a second, process start and flush included."""
    folder = write_folder(directory / "photographs", photographs, IMAGES)
    with Broker(directory / "kafka") as broker:
        create_topics(TopicSettings(kafka=broker.address))
        env = {"KAFKA": broker.address, "LEAF_VAR": str(directory)}
        command = [
            sys.executable,
            "-m",
            "ops.leaf",
            "ingest",
            str(folder),
            "--camera",
            "bench",
            "--unordered",
            "--no-pace",  # nobody works the backlog off here
            "--json",
        ]
        start = time.perf_counter()
        done = subprocess.run(command, env=os.environ | env, cwd=ROOT, capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - start
        return float(json.loads(done.stdout.splitlines()[-1])["sent"]) / seconds
