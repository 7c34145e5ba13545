"""A real single-node Apache Kafka (KRaft) on this machine, run from its Maven Central jars."""

import base64
import fcntl
import shutil
import signal
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ops import jvm
from ops.ports import LOOPBACK, accepts, free_port, is_free
from ops.process import Process
from schemas.errors import ConfigurationError

LOGGING: Final = Path(__file__).parent / "kafka" / "log4j2.properties"
MIN_FREE_BYTES: Final = 512 * 1024 * 1024
STOPPED: Final = 128 + signal.SIGTERM
"""Exit status of a JVM that was asked to stop, and has."""


def answers(bootstrap: str, timeout: float = 2) -> bool:
    """Whether a broker there gives metadata."""
    try:
        quiet = {"log_level": 0, "logger": None, "error_cb": lambda _error: None}
        return bool(AdminClient({"bootstrap.servers": bootstrap, **quiet}).list_topics(timeout=timeout).brokers)
    except KafkaException:
        return False


class Broker(Process):
    """Kafka on loopback with its data in `directory`; events survive a stop, and kill -9, with one replica.

    `start` formats the directory once, writes `server.properties`, starts the JVM (about 3 s, 360 MB) and waits for
    metadata. The first of these jars to be stopped archives its classes (see `jvm.archive`): about 2 s more, once.
    """

    def __init__(self, directory: Path, *, port: int = 0, log: Path | None = None) -> None:
        super().__init__("kafka", [], log=log or directory / "kafka.log", cwd=directory.absolute(), stop_seconds=30)
        self.directory = directory.absolute()
        self.port = port or free_port()
        self.controller_port = free_port(port and port + 1)
        self._classes = self.directory / "classes.jsa"

    @property
    def address(self) -> str:
        """Bootstrap servers."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """Check Java, ports and disk; fetch the jars; write the configuration; format the directory once."""
        self._wait_for_predecessor()
        runtime = jvm.java()
        classpath = f"{jvm.libraries()}/*"
        self._archive = jvm.archive(runtime)
        self.directory.mkdir(parents=True, exist_ok=True)
        super().prepare()
        for port in (self.port, self.controller_port):
            if not is_free(port):
                msg = f"port {port} is taken, Kafka can't listen there"
                raise ConfigurationError(msg, "Stop what listens there, or set KAFKA=host:port to use it.")
        if shutil.disk_usage(self.directory).free < MIN_FREE_BYTES:
            msg = f"less than {MIN_FREE_BYTES >> 20} MiB are free under {self.directory}"
            raise ConfigurationError(msg, "Free some space: Kafka stops for good on a full disk.")
        properties = self.directory / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        base = [runtime, "-cp", classpath, f"-Dlog4j2.configurationFile={LOGGING}"]
        if not (self.directory / "data" / "meta.properties").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            arguments = [
                "kafka.tools.StorageTool",
                "format",
                "--standalone",
                f"--cluster-id={cluster}",
                f"--config={properties}",
            ]
            done = subprocess.run([*base, *arguments], capture_output=True, text=True, check=False)
            if done.returncode:
                msg = f"{self.directory} can't be formatted for Kafka: {(done.stdout + done.stderr).strip()[-1000:]}"
                raise ConfigurationError(msg, "Remove the directory if what is in it may go.")
        self._classes.unlink(missing_ok=True)
        archived = self._archive.exists()
        classes = f"-XX:SharedArchiveFile={self._archive}" if archived else f"-XX:ArchiveClassesAtExit={self._classes}"
        self.command = [*base, *jvm.OPTIONS, "-Xlog:cds*=off", classes, "kafka.Kafka", str(properties)]

    def ready(self) -> bool:
        """Whether it gives metadata."""
        return accepts(self.port) and answers(self.address)

    def wait_ready(self) -> None:
        """Wait for metadata; a JVM brought down by a broken archive of its classes is started again without it."""
        try:
            super().wait_ready()
        except ConfigurationError:
            if self.returncode != -signal.SIGABRT or not self._archive.exists():
                raise
            self._archive.unlink(missing_ok=True)
            self.start()

    def stop(self) -> None:
        """SIGTERM, then SIGKILL; keep the archive of its classes where it has written the first."""
        if self.alive() and self.on_line and not self._archive.exists():
            self.on_line(self.name, "archives its classes, this once: it starts quicker from then on")
        super().stop()
        if self.returncode == STOPPED and self._classes.exists():
            with suppress(OSError):  # it only saves time
                jvm.keep(self._classes, self._archive)

    def _wait_for_predecessor(self) -> None:
        """One that lost its parent still stops; it holds the data directory's lock (a POSIX one) until it has."""
        lock = self.directory / "data" / ".lock"
        if not lock.exists():
            return
        deadline = time.monotonic() + self.stop_seconds
        with lock.open("a") as file:
            while True:
                with suppress(OSError):
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                if time.monotonic() > deadline:
                    msg = f"another Kafka uses {self.directory}"
                    raise ConfigurationError(msg, "Stop it, or set KAFKA=host:port to use it.")
                time.sleep(0.1)

    def _properties(self) -> dict[str, str | int]:
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{self.controller_port}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.address},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.directory / "data"),
            "auto.create.topics.enable": "false",
            # After kill -9 the controller takes the broker back only when its old session has run out (default 9 s).
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "group.initial.rebalance.delay.ms": 0,
            "offsets.topic.num.partitions": 8,
            "offsets.topic.replication.factor": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        }
