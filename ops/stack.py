"""The whole pipeline on this machine: what `make run` starts."""

import os
import shutil
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from ops import broker, jvm, redis, run_file, services
from ops.broker import Broker
from ops.embedded import Embedded
from ops.nginx import Nginx
from ops.ports import LOOPBACK, free_port, hold, is_free, reached_at
from ops.process import Process, program
from ops.redis import RedisServer
from ops.settings import StackSettings, TopicSettings
from ops.supervisor import Supervisor
from ops.topics import create_topics
from schemas.errors import ConfigurationError

COLOURS: Final = {"kafka": "magenta", "redis": "red", "embedded": "magenta", "sink": "yellow", "nginx": "blue"}
PAGE_PORT: Final = 8080


class Stack:
    """Kafka, Redis, topics, sink, workers, API processes and nginx, until Ctrl-C or SIGTERM.

    1. One stack per directory: a lock says so. Ports are chosen; what is taken and was asked for is an error.
    2. Broker and Redis start, or the given ones must answer; topics and the default experiment are made.
    3. The services start together; `var/run.json` tells the addresses; the page's address is printed.
    4. Whatever dies is started again (see `Supervisor`); if that does not help, the stack ends and says why.
    5. A stop goes the other way round: the door first, the broker last. After kill -9 of this process the kernel sends
       every child SIGTERM; the lock is free again and the next start replaces `run.json`.
    """

    def __init__(self, settings: StackSettings) -> None:
        self._settings = settings
        self._console = Console(highlight=False)
        self._supervisor = Supervisor(tell=lambda text: self._say(text, "yellow"), changed=self._write)
        self._var = run_file.path().parent
        self._running: dict[str, Any] = {"pid": os.getpid()}
        self._door: socket.socket | None = None

    def run(self) -> None:
        """Start, watch, stop. Raises LeafError where the stack can't start or can't go on."""
        with run_file.only_one():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, _interrupt)
            try:
                self._start()
                self._supervisor.watch()
            except KeyboardInterrupt:
                self._say("stopping; press Ctrl-C again to stop without waiting")
            finally:
                self._stop()

    def _start(self) -> None:
        self._keep_last_logs()
        mode = self._mode()
        port = self._page_port()
        if mode == "embedded":
            kafka, store = self._start_embedded()
        else:
            kafka, store = self._start_real()
        self._running |= {"mode": mode, "kafka": kafka, "redis": store, "url": self._url(port)}
        self._write()
        topics = TopicSettings.model_validate({"kafka": kafka, "redis": store, "mode": mode})
        if done := create_topics(topics).created:
            self._say(f"created {len(done)} topics")
        self._start_services(mode, port)
        self._say(f"Leafstream is up: {self._running['url']}    (Ctrl-C stops it)", "bold green")

    def _mode(self) -> str:
        """`real` where its parts are there or were asked for; otherwise `embedded`, saying what that costs."""
        settings = self._settings
        if settings.mode == "embedded":
            if settings.kafka or settings.redis:
                msg = "MODE=embedded brings its own broker and Redis"
                raise ConfigurationError(msg, "Leave out KAFKA= and REDIS=, or leave out MODE=embedded.")
            return "embedded"
        try:
            self._check_parts()
        except ConfigurationError as error:
            if settings.mode == "real" or settings.kafka or settings.redis:
                raise
            self._say(error.advice, "yellow")
            self._say("Until then: embedded mode, in memory. Nothing survives a stop, and it is slower.", "yellow")
            return "embedded"
        return "real"

    def _check_parts(self) -> None:
        program("nginx", "nginx")
        if not self._settings.redis:
            program("redis-server", "redis-server")
        if not self._settings.kafka:
            jvm.java()
            jvm.libraries()

    def _page_port(self) -> int:
        """Choose it, and hold it: what is started before the door takes free ports too."""
        wanted, listen = self._settings.port, self._settings.listen
        if not is_free(0, listen):
            msg = f"LEAF_LISTEN={listen} is no IPv4 address of this machine"
            raise ConfigurationError(msg, "Use 127.0.0.1, 0.0.0.0 for all of them, or one that `ip address` shows.")
        port = free_port(PAGE_PORT, listen) if wanted is None else wanted
        try:
            self._door = hold(port, listen)
        except OSError as error:
            msg = f"port {port} is taken or not allowed"
            raise ConfigurationError(msg, "Stop what listens there, or choose another one with PORT=.") from error
        return port

    def _url(self, port: int) -> str:
        host = reached_at(self._settings.listen)
        return f"http://{'localhost' if host == LOOPBACK else host}:{port}"

    def _open_door(self) -> None:
        """Let go of the page's port: what serves it is started next."""
        if self._door:
            self._door.close()

    def _start_real(self) -> tuple[str, str]:
        """Launch Kafka and Redis together, or look whether the given ones answer; their addresses."""
        settings, own = self._settings, []
        kafka, store = settings.kafka, settings.redis
        if kafka and not broker.answers(kafka, timeout=10):
            msg = f"no Kafka answers at KAFKA={kafka}"
            raise ConfigurationError(msg, "Start it or correct the address; without KAFKA= one is started here.")
        if store and not redis.answers(store):
            msg = f"no Redis answers at REDIS={store}"
            raise ConfigurationError(msg, "Start it or correct the address; without REDIS= one is started here.")
        if not kafka:
            own_kafka = Broker(self._var / "kafka", port=free_port(9092), log=self._log("kafka"))
            own.append(self._launch(own_kafka))
            kafka = own_kafka.address
        if not store:
            own_redis = RedisServer(self._var / "redis", port=free_port(6379), log=self._log("redis"))
            own.append(self._launch(own_redis))
            store = own_redis.address
        for process in own:
            process.wait_ready()
        return kafka, store

    def _start_embedded(self) -> tuple[str, str]:
        embedded = Embedded(self._var / "embedded.json", log=self._log("embedded"))
        self._supervisor.irreplaceable.add(embedded.name)
        self._launch(embedded)
        embedded.wait_ready()
        return embedded.addresses

    def _start_services(self, mode: str, port: int) -> None:
        settings, logs = self._settings, self._var / "log"
        names = ("kafka", "redis", "mode")
        env = {name.upper(): self._running[name] for name in names} | {"LEAF_VAR": str(self._var)}
        ports = self._running["ports"] = {}
        started = []
        ports["sink"] = free_port()
        started.append(self._launch(services.sink("sink", ports["sink"], env=env, logs=logs)))
        for number in range(1, settings.workers + 1):
            name = f"worker-{number}"
            ports[name] = free_port()
            started.append(self._launch(services.worker(name, ports[name], env=env, logs=logs)))
        apis: list[int] = []
        for number in range(1, (1 if mode == "embedded" else settings.apis) + 1):
            name = f"api-{number}"
            host = settings.listen if mode == "embedded" else LOOPBACK
            api_port = port if mode == "embedded" else free_port()
            apis.append(api_port)
            ports[name] = api_port
            if mode == "embedded":
                self._open_door()
            started.append(self._launch(services.api(name, host, api_port, env=env, logs=logs)))
        self._write()
        for process in started:
            process.wait_ready()
        if mode == "real":
            directory = self._var / "nginx"
            nginx = Nginx(directory, listen=settings.listen, port=port, upstreams=apis, log=self._log("nginx"))
            ports["nginx"] = port
            self._open_door()
            self._launch(nginx).wait_ready()
            self._write()

    def _launch(self, process: Process) -> Process:
        process.on_line = self._print
        self._say(f"starting {process.name}")
        self._supervisor.launch(process)
        return process

    def _stop(self) -> None:
        try:
            self._supervisor.stop()
        except KeyboardInterrupt:
            for process in self._supervisor.processes:
                process.kill()
        self._open_door()
        self._say("stopped")

    def _write(self) -> None:
        pids = {process.name: process.pid for process in self._supervisor.processes}
        run_file.write(self._running | {"pids": pids})

    def _keep_last_logs(self) -> None:
        """Move the logs of the last run aside; those before it go."""
        logs, last = self._var / "log", self._var / "log.last"
        shutil.rmtree(last, ignore_errors=True)
        with suppress(FileNotFoundError):
            logs.rename(last)

    def _log(self, name: str) -> Path:
        return self._var / "log" / f"{name}.log"

    def _print(self, name: str, line: str) -> None:
        colour = COLOURS.get(name) or ("cyan" if name.startswith("api") else "green")
        self._console.print(Text.assemble((f"{name:>9} | ", colour), Text.from_ansi(line)), soft_wrap=True)

    def _say(self, text: str, style: str = "bold") -> None:
        self._console.print(Text.assemble((f"{'leaf':>9} | ", "bold"), (text, style)), soft_wrap=True)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
