"""nginx on this machine: the templates in nginx/ rendered under var/, run in the foreground without root."""

import os
import re
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from ops.ports import accepts, reached_at
from ops.process import LOG_BYTES, Process, program, set_aside
from ops.settings import StackSettings

ROOT: Final = Path(__file__).parents[1]
TEMPLATES: Final = ROOT / "nginx"


def render(template: str, values: Mapping[str, str]) -> str:
    """Replace each `${LEAF_...}`; nginx's own variables stay. Raises KeyError for one that has no value."""
    return re.sub(r"\$\{(LEAF_[A-Z_]+)\}", lambda match: values[match[1]], template)


class Nginx(Process):
    """The only door: the page's files, and the API processes behind it."""

    def __init__(self, directory: Path, *, listen: str, port: int, upstreams: Sequence[int], log: Path) -> None:
        super().__init__("nginx", [], log=log)
        self.directory = directory.absolute()
        self.port = port
        self._host = reached_at(listen)
        self._access_log = log.absolute().with_name("access.log")
        settings = StackSettings()
        self._values = {
            "LEAF_NGINX_USER": "user root;" if os.geteuid() == 0 else "",
            "LEAF_NGINX_DIR": str(self.directory),
            "LEAF_ACCESS_LOG": str(self._access_log),
            "LEAF_LISTEN": f"{listen}:{port}",
            "LEAF_FRONTEND": str(ROOT / "frontend"),
            "LEAF_UPSTREAM": " ".join(f"server 127.0.0.1:{api} max_fails=1 fail_timeout=2s;" for api in upstreams),
            "LEAF_POST_RATE": str(settings.post_rate),
            "LEAF_POST_BURST": str(settings.post_burst),
        }

    def prepare(self) -> None:
        """Render the configuration."""
        super().prepare()
        self.directory.mkdir(parents=True, exist_ok=True)
        for template in TEMPLATES.glob("*.template"):
            (self.directory / template.stem).write_text(render(template.read_text(), self._values))
        self.command = [program("nginx", "nginx"), "-e", "stderr", "-c", str(self.directory / "nginx.conf")]

    def ready(self) -> bool:
        """Whether it listens."""
        return accepts(self.port, self._host)

    def tend(self) -> None:
        """Let it begin its access log anew where that grew long."""
        with suppress(OSError):
            if self._access_log.stat().st_size > LOG_BYTES and self.pid:
                set_aside(self._access_log)
                os.kill(self.pid, signal.SIGUSR1)
