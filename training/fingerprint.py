"""What a model was made from, as digests."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def file_digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_fingerprint() -> str:
    """SHA-256 over everything that decides what a training run does."""
    return _digest([*ROOT.glob("training/*.py"), ROOT / "stream_workers/engines/networks.py"])


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name} {file_digest(file)}\n".encode())
    return digest.hexdigest()
