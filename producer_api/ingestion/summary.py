"""What an ingest did, counted while it runs and told at the end."""

import threading
import time
from typing import Any


class Summary:
    """Counters that several feeds add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._counts = dict.fromkeys(("seen", "sent", "already_there", "skipped_similar", "dropped"), 0)
        self._bad: dict[str, str] = {}
        self._faulty: dict[str, tuple[int, str]] = {}
        """Of each camera: how many frames could not be used, and why the last one."""

    def count(self, what: str, by: int = 1) -> None:
        """Add to `seen`, `sent`, `already_there`, `skipped_similar` or `dropped`."""
        with self._lock:
            self._counts[what] += by

    def __getitem__(self, what: str) -> int:
        return self._counts[what]

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started

    @property
    def bad_files(self) -> list[dict[str, str]]:
        """Name and reason of each; of a camera's frames their number and the last reason."""
        with self._lock:
            cameras = {
                name: f"{count} frames, the last one: {reason}" for name, (count, reason) in self._faulty.items()
            }
            return [{"name": name, "reason": reason} for name, reason in sorted((self._bad | cameras).items())]

    def bad(self, name: str, reason: str) -> None:
        """A picture that could not be used."""
        with self._lock:
            self._bad[name] = reason

    def faulty(self, camera: str, reason: str) -> int:
        """A frame of a camera that could not be used; how many that makes. Not kept singly: a camera never ends."""
        with self._lock:
            count = self._faulty.get(camera, (0, ""))[0] + 1
            self._faulty[camera] = count, reason
        return count

    def good(self, name: str) -> None:
        """A picture that could be used, perhaps after it was mended."""
        with self._lock:
            self._bad.pop(name, None)

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints; `seen` counts frames, `sent` and `already_there` events (tiles)."""
        counts = {name: n for name, n in self._counts.items() if name != "dropped"}
        return counts | {"bad_files": self.bad_files, "seconds": round(self.seconds, 3)}

    def as_text(self) -> str:
        """The same for a person."""
        sent = f"{self['sent']} events sent, {self['already_there']} already there"
        similar = f"{self['skipped_similar']} skipped as similar"
        lines = [f"{self['seen']} pictures seen in {self.seconds:.1f} s: {sent}, {similar}"]
        if self["dropped"]:
            lines.append(f"{self['dropped']} camera frames dropped while the workers were behind or Kafka was away")
        if bad := self.bad_files:
            lines.append(f"{len(bad)} could not be used:")
            lines += [f"  {each['name']}: {each['reason']}" for each in bad]
        return "\n".join(lines)
