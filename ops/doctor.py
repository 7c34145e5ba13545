"""Look at everything a stack needs and say what works, what does not, and what to do."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from typing import Literal

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from redis import Redis
from redis.exceptions import RedisError

from ops import broker, jvm, records, redis, run_file
from ops.clients import client
from ops.default_experiment import MODELS
from ops.finding import Finding
from ops.ports import is_free
from ops.process import program
from ops.services import answers
from ops.settings import TopicSettings
from ops.topics import check_counts, differences, partition_counts
from schemas.card import CARD_FILE, ModelCard
from schemas.errors import LeafError
from schemas.kafka import reach
from schemas.settings import var_dir
from schemas.topics import TOPICS

DISK_BYTES = 2 * 1024**3
"""Below this a day of photographs may not fit any more."""


def examine(settings: TopicSettings) -> Iterator[Finding]:
    """Every check in turn. An address is only looked at where a stack runs or the environment names it."""
    running = run_file.read()
    for name, package in (("nginx", "nginx"), ("redis-server", "redis-server"), ("mvn", "maven")):
        yield _attempt(name, partial(program, name, package), worst="warning")
    yield _attempt("java", jvm.java, worst="warning")
    yield _disk()
    yield from _models(settings)
    if running is None and not {"kafka", "redis"} & settings.model_fields_set:
        yield Finding("stack", "warning", "no stack runs here", "Start one with `make run`, or set KAFKA= and REDIS=.")
        yield _page_port()
        return
    yield from _kafka(settings)
    yield from _redis(settings)
    if running and (url := running.get("url")):
        ready = answers(f"{url}/readyz")
        says = f"{url} answers" if ready else f"{url}/readyz is not ready"
        yield Finding("api", "ok" if ready else "error", says, "" if ready else f"See {var_dir() / 'log'}.")


def _attempt(check: str, find: Callable[[], str], *, worst: Literal["warning", "error"] = "error") -> Finding:
    try:
        return Finding(check, "ok", find())
    except LeafError as error:
        return Finding(check, worst, str(error), error.remedy)


def _disk() -> Finding:
    var_dir().mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(var_dir()).free
    says = f"{free / 1024**3:.1f} GiB free under {var_dir()}"
    if free < broker.MIN_FREE_BYTES:
        return Finding("disk", "error", says, "Free some space: Kafka does not start like this.")
    if free < DISK_BYTES:
        return Finding("disk", "warning", says, "Free some space before many photographs come in.")
    return Finding("disk", "ok", says)


def _models(settings: TopicSettings) -> Iterator[Finding]:
    found = {name: sorted(settings.models_dir.glob(f"{name}/*/{CARD_FILE}")) for name in MODELS}
    for name, cards in found.items():
        if not cards:
            remedy = "Train and export it with `make train`, or set LEAF_MODELS_DIR."
            yield Finding(f"model {name}", "error", f"there is none in {settings.models_dir}", remedy)
    for card in sorted(settings.models_dir.glob(f"*/*/{CARD_FILE}")):
        directory = card.parent

        def load() -> str:
            loaded = ModelCard.load(directory)  # noqa: B023 - called at once
            return f"{loaded.architecture}, {len(loaded.files)} files as their checksums say"

        yield _attempt(f"model {directory.parent.name}@{directory.name}", load)


def _page_port() -> Finding:
    if is_free(8080):
        return Finding("port 8080", "ok", "free, the page will be there")
    return Finding("port 8080", "warning", "taken", "`make run` takes the next free port; PORT= chooses one.")


def _kafka(settings: TopicSettings) -> Iterator[Finding]:
    try:
        reach(settings.kafka, 4)
    except LeafError as error:
        yield Finding("kafka", "error", f"nothing answers at {settings.kafka}", error.remedy)
        return
    yield Finding("kafka", "ok", f"answers at {settings.kafka}")

    def topics() -> str:
        admin = AdminClient(client(settings.kafka))
        counts = partition_counts(admin)
        check_counts(counts, settings.partitions if settings.mode == "real" else None)
        missing = [topic.name for topic in TOPICS if topic.name not in counts]
        wrong = {} if settings.mode == "embedded" else differences(admin, settings, counts)
        if missing or wrong:
            faults = [f"{name} is missing" for name in missing]
            faults += [
                f"{name} should have {', '.join(f'{key}={value}' for key, value in config.items())}"
                for name, config in wrong.items()
            ]
            raise LeafError("; ".join(faults), "Run `leaf topics`.")
        return f"{len(counts)}, partitions and settings as configured"

    try:
        yield _attempt("topics", topics)
        yield from records.skipped(settings.kafka)
    except KafkaException as error:
        yield Finding("topics", "error", error.args[0].str(), "See the broker's log.")


def _redis(settings: TopicSettings) -> Iterator[Finding]:
    if not redis.answers(settings.redis):
        remedy = "Start it with `make run`, or correct REDIS=host:port."
        yield Finding("redis", "error", f"nothing answers at {settings.redis}", remedy)
        return
    yield Finding("redis", "ok", f"answers at {settings.redis}")
    host, _, port = settings.redis.rpartition(":")
    try:
        with Redis(host=host, port=int(port), decode_responses=True, socket_timeout=5) as store:
            yield records.malformed(store)
            yield records.unserved(store)
    except RedisError as error:
        yield Finding("counters", "warning", f"can't be read: {error}", "See Redis' log.")
    if settings.mode == "embedded":
        return
    wanted = {"maxmemory-policy": "noeviction", "appendonly": "yes"}
    try:
        with Redis(host=host, port=int(port), decode_responses=True, socket_timeout=5) as store:
            wrong = [f"{name} is {found}" for name in wanted if (found := store.config_get(name)[name]) != wanted[name]]
    except RedisError as error:
        yield Finding("redis settings", "warning", f"can't be read: {error}", f"They should be {wanted}.")
        return
    if wrong:
        yield Finding("redis settings", "error", ", ".join(wrong), f"Results get lost like this: set {wanted}.")
    else:
        yield Finding("redis settings", "ok", "nothing is evicted, the append-only file is on")
