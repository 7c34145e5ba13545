"""The versions that a training in two rounds makes."""

import json
from pathlib import Path
from typing import Final

ROUNDS: Final = 2


class Rounds:
    """The next version numbers above all there are, since workers serve the highest; after a kill the same again."""

    def __init__(self, models: Path, work: Path) -> None:
        self._path = work / "rounds.json"
        if not self._path.exists():
            taken = [int(path.name) for path in models.glob("*/*") if path.name.isdigit()]
            first = max(taken, default=0) + 1
            work.mkdir(parents=True, exist_ok=True)
            self._path.write_text(json.dumps([str(first + number) for number in range(ROUNDS)]))
        self.versions: list[str] = json.loads(self._path.read_text())

    def finish(self) -> None:
        """All is made: the next training takes other numbers."""
        self._path.unlink()
