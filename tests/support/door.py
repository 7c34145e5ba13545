"""nginx from the project's own templates, in front of whatever a test listens with."""

import os
from collections.abc import Sequence
from pathlib import Path
from string import Template

from ops.process import LOOPBACK, Process, accepts, free_port, program

ROOT = Path(__file__).parents[2]


class Door(Process):
    """nginx on a free port of loopback; everything it writes stays in `directory`."""

    def __init__(self, directory: Path, upstreams: Sequence[int], *, rate: int = 50, burst: int = 200) -> None:
        self.port = free_port()
        self.directory = directory
        self.access_log = directory / "access.log"
        self.variables = {
            "LEAF_NGINX_USER": "user root;" if os.geteuid() == 0 else "",
            "LEAF_NGINX_DIR": str(directory),
            "LEAF_ACCESS_LOG": str(self.access_log),
            "LEAF_LISTEN": f"{LOOPBACK}:{self.port}",
            "LEAF_FRONTEND": str(ROOT / "frontend"),
            "LEAF_UPSTREAM": " ".join(f"server {LOOPBACK}:{port} max_fails=1 fail_timeout=2s;" for port in upstreams),
            "LEAF_POST_RATE": str(rate),
            "LEAF_POST_BURST": str(burst),
        }
        command = [program("nginx", "nginx"), "-e", "stderr", "-c", str(directory / "nginx.conf")]
        super().__init__("nginx", command, log=directory / "error.log", ready=lambda: accepts(self.port))

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Render the templates."""
        super().prepare()
        for template in (ROOT / "nginx").glob("*.template"):
            text = Template(template.read_text()).safe_substitute(self.variables)
            (self.directory / template.stem).write_text(text)
