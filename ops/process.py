"""A child process with a name, a log and a question that tells when it answers."""

import errno
import os
import shutil
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import Final, Self

from schemas.errors import ConfigurationError

TAIL_LINES: Final = 12
"""So many of a child's last lines are shown; its reason may stand above a stack trace in those before them."""
LOG_BYTES: Final = 64 * 1024 * 1024
"""A log that has grown beyond it begins anew; the one before it is kept beside it."""

#: Children die with the *thread* that started them (see `_tied`), so one that lives as long as this process starts all.
_SPAWNER: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def program(name: str, package: str) -> str:
    """Path of an installed program. Raises ConfigurationError naming the Debian package that brings it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        msg = f"{name} is not installed"
        raise ConfigurationError(msg, f"Install it (Debian: apt-get install {package}), or let `make run` do it.")
    return found


class Process:
    """Start, watch and stop one child.

    The child runs in a process group of its own, so that a terminal's Ctrl-C reaches only us and we choose the order of
    stopping; it gets SIGTERM from the kernel if we die, even by kill -9; what it leaves behind in its group when it
    dies is killed before it is started again. Its output goes to `log` and, line by line, to `on_line`. It may keep the
    bytecode of what it imports, whatever our environment says: compiling all of it costs seconds at every start.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        ready: Callable[[], bool] | None = None,
        start_seconds: float = 120,
        stop_seconds: float = 12,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self.env = dict(env or {})
        self.cwd = cwd
        self.start_seconds = start_seconds
        self.stop_seconds = stop_seconds
        self.on_line: Callable[[str, str], None] | None = None
        self.tail: deque[str] = deque(maxlen=20 * TAIL_LINES)
        self._ready = ready
        self._child: subprocess.Popen[str] | None = None
        self._pump: Thread | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child and self.alive() else None

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs or before it was started."""
        return self._child.poll() if self._child else None

    def alive(self) -> bool:
        """Whether the child runs."""
        return self._child is not None and self._child.poll() is None

    def prepare(self) -> None:
        """What must be there before the command can run; subclasses extend it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def ready(self) -> bool:
        """Whether it answers."""
        return self._ready is None or self._ready()

    def launch(self) -> None:
        """Start the child without waiting until it answers."""
        try:
            self.prepare()
            self.tail.clear()
            self._child = _SPAWNER.submit(self._spawn).result()
        except OSError as error:
            msg = f"{self.name} can't be started: {error}"
            full = error.errno == errno.ENOSPC
            remedy = "Free some space." if full else "Check that the program is installed and may be executed."
            raise ConfigurationError(msg, remedy) from error
        self._pump = Thread(target=self._read, args=(self._child,), name=f"log of {self.name}", daemon=True)
        self._pump.start()

    def start(self) -> Self:
        """Start the child and wait until it answers. Raises ConfigurationError with its last words if it does not."""
        self.launch()
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Wait until it answers; a child that dies or stays silent is stopped and reported."""
        deadline = time.monotonic() + self.start_seconds
        while True:
            ready = self.ready()
            if not self.alive():  # where it answers all the same, a stranger listens there
                raise self.died()
            if ready:
                return
            if time.monotonic() > deadline:
                self.kill()
                msg = f"{self.name} did not answer within {self.start_seconds:.0f} s. {self.last_words()}"
                raise ConfigurationError(msg, f"Its whole log is {self.log}.")
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL if it takes too long."""
        if self._child and self.alive():
            self._signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(self.stop_seconds)
        self.kill()

    def kill(self) -> None:
        """SIGKILL, for the child and whatever it left in its group."""
        if self._child is None:
            return
        self._signal(signal.SIGKILL)
        self._child.wait()
        if self._pump:
            self._pump.join(1)

    def restart(self) -> Self:
        """Start again what has died or still runs, on the same directory and port."""
        self.stop()
        return self.start()

    def died(self) -> ConfigurationError:
        """What to tell of a child that is gone."""
        if self._pump:
            self._pump.join(1)
        words = self.last_words()
        if any("No space left on device" in line for line in self.tail):
            return ConfigurationError(
                f"{self.name} ended because the disk is full.", "Free some space and start again."
            )
        return ConfigurationError(f"{self.name} {self.ending()}. {words}", f"Its whole log is {self.log}.")

    def ending(self) -> str:
        """How it ended, as the second half of a sentence."""
        status = self.returncode
        if status is not None and status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"ended with status {status}"

    def last_words(self) -> str:
        """The last lines it wrote."""
        return (
            "Its last lines:\n  " + "\n  ".join(list(self.tail)[-TAIL_LINES:]) + "\n"
            if self.tail
            else "It wrote nothing."
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.Popen(
            _tied(self.command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=inherited | self.env,
            cwd=self.cwd,
            start_new_session=True,
        )

    def _read(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None
        log = self.log.open("ab", buffering=0)
        with child.stdout, ExitStack() as opened:
            opened.enter_context(log)
            for line in child.stdout:
                text = line.rstrip("\n")
                self.tail.append(text)
                with suppress(OSError):  # a full disk must not block the child on its own log
                    if log.tell() > LOG_BYTES:
                        set_aside(self.log)
                        fresh = self.log.open("ab", buffering=0)
                        opened.close()
                        log = opened.enter_context(fresh)
                    log.write(line.encode(errors="replace"))
                if self.on_line:
                    self.on_line(self.name, text)

    def tend(self) -> None:
        """What a process needs from time to time while it runs; subclasses extend it."""

    def _signal(self, number: int) -> None:
        assert self._child is not None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._child.pid, number)


def set_aside(log: Path) -> None:
    """Rename a log that grew long; the one that was set aside before it goes."""
    log.replace(log.with_name(f"{log.name}.1"))


def _tied(command: list[str]) -> list[str]:
    """The command, made to get SIGTERM when the thread that started it ends (Linux: `prctl(2)`, PR_SET_PDEATHSIG).

    Where we died before that was arranged, it does not begin.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return command
    begin = f'[ "$PPID" = {os.getpid()} ] && exec "$@"'
    return [setpriv, "--pdeathsig", "TERM", "--", "/bin/sh", "-c", begin, "sh", *command]
