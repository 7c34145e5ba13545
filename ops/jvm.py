"""The Java side of the broker: the runtime, Kafka's jars, and an archive of its classes that makes starting quicker."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ops.process import program
from schemas.errors import ConfigurationError

ROOT: Final = Path(__file__).parents[1]
POM: Final = ROOT / "ops" / "kafka" / "pom.xml"
MIN_JAVA: Final = 17
OPTIONS: Final = ("-Xmx512m", "-XX:+ExitOnOutOfMemoryError", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A small heap and the quick compiler only: starting takes half the CPU time (2.8 s instead of 5.8 s)."""


def java() -> str:
    """The Java runtime to use. Raises ConfigurationError where it is missing or older than 17."""
    home = Path(os.environ.get("JAVA_HOME", "")) / "bin" / "java"
    path = str(home) if home.is_file() else program("java", "openjdk-17-jre-headless")
    said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < MIN_JAVA:
        msg = f"{path} is too old for Kafka 4 or does not run: {said.strip()[:200]}"
        raise ConfigurationError(msg, f"Install Java {MIN_JAVA} or newer, or set JAVA_HOME to one.")
    return path


def libraries() -> Path:
    """Directory of the broker's jars; Maven fetches them the first time (about 44 MB) and keeps its own copy."""
    return _once(ROOT / "var" / "kafka" / "libs" / hashlib.sha256(POM.read_bytes()).hexdigest()[:12], _fetch)


def archive(runtime: str) -> Path:
    """Where the archive of the broker's classes belongs (JEP 350): one for these jars, this runtime and its options.

    A JVM started with `-XX:ArchiveClassesAtExit` writes one when it is asked to stop; mapping it halves the work of
    starting (0.9 s of CPU time less). One that does not fit is left aside by the JVM.
    """
    binary = Path(runtime).resolve()
    identity = repr((str(binary), binary.stat().st_mtime_ns, OPTIONS))
    return libraries() / f"{hashlib.sha256(identity.encode()).hexdigest()[:12]}.jsa"


def keep(written: Path, archive: Path) -> None:
    """Put an archive that a JVM has written where it belongs, unless another broker was first."""

    def move(partial: Path) -> None:
        shutil.move(written, partial)
        with partial.open("rb") as file:  # one cut short by a loss of power would bring the JVM down
            os.fsync(file.fileno())

    _once(archive, move)


def _once(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, made by one process at a time, and there only when it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.rename(target)
    return target


def _fetch(partial: Path) -> None:
    sys.stderr.write("fetching Kafka's jars from Maven Central (about 44 MB): the broker that is started here\n")
    arguments = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    command = [program("mvn", "maven"), "--quiet", "--batch-mode", "--file", str(POM), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        msg = f"Maven could not fetch the broker's jars:\n{done.stdout.strip()[-1500:]}"
        raise ConfigurationError(msg, "Check the network, or set KAFKA=host:port to use a broker you have.")
