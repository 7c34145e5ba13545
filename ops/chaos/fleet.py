"""The services under fire, as shipped: a real broker, a real Redis, and the same commands as `leaf up` runs."""

import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

from redis import Redis

from ops.broker import Broker
from ops.ports import LOOPBACK, free_port
from ops.process import Process
from ops.redis import RedisServer
from ops.services import ROOT, answers
from ops.settings import TopicSettings
from ops.topics import create_topics

API_PROCESSES: Final = 2
SINKS: Final = 2


class Fleet:
    """Two API processes, two sinks and a changing number of workers on one broker and one Redis, all in `directory`.

    `sabotage` takes the guard out of one kind of service, to show that the check notices.
    """

    def __init__(self, directory: Path, *, sabotage: str = "none") -> None:
        self.directory = directory.absolute()
        self.sabotage = sabotage
        self.broker = Broker(self.directory / "kafka")
        self.redis = RedisServer(self.directory / "redis")
        self.api_ports = [free_port() for _ in range(API_PROCESSES)]
        self.apis = [self._service("producer_api", n, LEAF_API_PORT=str(p)) for n, p in enumerate(self.api_ports)]
        self.sinks = [self._service("result_sink", number) for number in range(SINKS)]
        self.workers: list[Process] = []
        self._stack = ExitStack()

    @property
    def urls(self) -> list[str]:
        """Base addresses of the API processes."""
        return [f"http://{LOOPBACK}:{port}" for port in self.api_ports]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._stop)
            self.broker.start()
            self.redis.start()
            create_topics(TopicSettings(kafka=self.broker.address, redis=self.redis.address))
            for process in self.apis + self.sinks:
                process.launch()
            self.scale(1)
            self.wait_for_apis()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def scale(self, count: int) -> None:
        """Start workers, or stop the last ones gracefully."""
        while len(self.workers) > count:
            self.workers.pop().stop()
        while len(self.workers) < count:
            worker = self._service("stream_workers", len(self.workers))
            worker.launch()
            self.workers.append(worker)

    def revive(self) -> None:
        """Start again what ended by itself, as whoever runs the services does: some errors end a process by design."""
        for process in [*self.apis, *self.sinks, *self.workers]:
            if not process.alive():
                process.launch()

    def wait_for_apis(self) -> None:
        """Wait until every API process answers: one may have been started a moment ago."""
        for process in self.apis:
            process.wait_ready()

    def of_kind(self, kind: str) -> list[Process]:
        """The processes of one kind."""
        fleets = {"worker": self.workers, "sink": self.sinks, "api": self.apis}
        return fleets.get(kind) or [{"broker": self.broker, "redis": self.redis}[kind]]

    def flush_redis(self) -> None:
        """Empty Redis under the running sinks."""
        with self._client() as client:
            client.flushall()

    def copy_redis(self) -> Path:
        """Keep a copy of Redis's files as they are now."""
        copy = self.directory / "redis-older"
        shutil.copytree(self.redis.directory, copy)
        return copy

    def set_redis_back(self, copy: Path) -> None:
        """Kill Redis and start it on an older copy of its files."""
        self.redis.kill()
        shutil.rmtree(self.redis.directory)
        shutil.copytree(copy, self.redis.directory)
        self.redis.start()

    def _client(self) -> Redis:
        return Redis(host=LOOPBACK, port=self.redis.port)

    def _service(self, room: str, number: int, **env: str) -> Process:
        name = f"{room}-{number}"
        sabotaged = {"sink": "result_sink", "worker": "stream_workers"}.get(self.sabotage) == room
        command = [sys.executable, "-m", *(["ops.chaos.sabotage"] if sabotaged else []), room]
        addresses = {"KAFKA": self.broker.address, "REDIS": self.redis.address, "LEAF_VAR": str(self.directory)}
        port = env.get("LEAF_API_PORT")
        return Process(
            name,
            command,
            log=self.directory / "log" / f"{name}.log",
            env=addresses | env,
            cwd=ROOT,
            ready=(lambda: answers(f"http://{LOOPBACK}:{port}/readyz")) if port else None,
        )

    def _stop(self) -> None:
        for process in [*self.apis, *self.workers, *self.sinks, self.redis, self.broker]:
            process.stop()


def strike(process: Process, *, graceful: bool) -> None:
    """SIGTERM and wait, or kill -9."""
    if graceful:
        process.stop()
    else:
        process.kill()
