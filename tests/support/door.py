"""nginx as `make run` starts it, in front of whatever a test listens with."""

from collections.abc import Sequence
from pathlib import Path

from ops.nginx import Nginx
from ops.ports import LOOPBACK, free_port


class Door(Nginx):
    """nginx on a free port of loopback; everything it writes stays in `directory`."""

    def __init__(self, directory: Path, upstreams: Sequence[int]) -> None:
        super().__init__(directory, listen=LOOPBACK, port=free_port(), upstreams=upstreams, log=directory / "nginx.log")

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.port}"
