"""The eight topics: what keys them, how long they keep, whose clock stamps them."""

from dataclasses import dataclass
from typing import Final, Literal

DAY_MS: Final = 24 * 60 * 60 * 1000

MAX_IMAGE_BYTES: Final = 256 * 1024
"""An image event's value; below the broker's default message limit with room for headers."""
MAX_BYTES: Final = "max.message.bytes"
"""Kafka's name for the largest record batch that a topic takes."""
KAFKA_MAX_BYTES: Final = 1024 * 1024 + 12
"""Its default."""
_HEADERS_BYTES: Final = 4 * 1024
"""Of an image event: names, times, the place in a recording."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A Kafka topic as it is created. `partitions=None` means the fleet's common partition count."""

    name: str
    describes: str
    retention_days: float | None = None
    cleanup: Literal["delete", "compact", "compact,delete"] = "delete"
    timestamps: Literal["LogAppendTime", "CreateTime"] = "CreateTime"
    partitions: int | None = None
    record_bytes: int = 64 * 1024
    """Largest record that is written there, bytes: the topic must take at least that."""
    compression: Literal["uncompressed"] | None = None
    """How the broker stores the records; None: as their producer compressed them."""

    def config(self, retention_days: float | None = None) -> dict[str, str]:
        """Broker settings; `retention_days` overrides the default where the topic expires at all."""
        days = self.retention_days if retention_days is None or self.retention_days is None else retention_days
        config = {
            "cleanup.policy": self.cleanup,
            "message.timestamp.type": self.timestamps,
            "retention.ms": "-1" if days is None else str(int(days * DAY_MS)),
        }
        config |= {MAX_BYTES: str(self.record_bytes)} if self.record_bytes > KAFKA_MAX_BYTES else {}
        return config | ({"compression.type": self.compression} if self.compression else {})


IMAGES: Final = Topic(
    name="leaf.images",
    describes="Accepted photographs, normalised; the replay window",
    retention_days=7,
    timestamps="LogAppendTime",
    record_bytes=MAX_IMAGE_BYTES + _HEADERS_BYTES,
    compression="uncompressed",  # aiokafka can't read zstd, lz4 or snappy without more libraries, and dies of them
)
PREDICTIONS: Final = Topic(
    name="leaf.predictions",
    describes="What the live workers said, on the same partition number as the photograph",
    retention_days=30,
    timestamps="LogAppendTime",
)
REPLAYS: Final = Topic(
    name="leaf.replays",
    describes="What replays said, each record naming its run",
    retention_days=30,
    timestamps="LogAppendTime",
)
RUNS: Final = Topic(
    name="leaf.runs",
    describes="Replay definitions; the first record of a name counts",
    cleanup="compact",
    partitions=1,
)
FEEDBACK: Final = Topic(
    name="leaf.feedback",
    describes="True labels given by people",
    retention_days=30,
    cleanup="compact,delete",
    timestamps="LogAppendTime",
    record_bytes=4 * 1024,
)
EXPERIMENTS: Final = Topic(
    name="leaf.experiments",
    describes="Every version of every experiment definition; before it whether the workers can load its models",
    cleanup="compact",
    partitions=1,
    compression="uncompressed",  # the workers read it as they read images
)
#: A dead letter is the largest record that the images topic takes and five headers more.
_DEAD_LETTER_BYTES: Final = 2 * 1024 * 1024
DEAD_LETTER_HEADERS_BYTES: Final = 8 * 1024
"""Of those five."""
UNPROCESSABLE: Final = Topic(
    name="leaf.images.unprocessable",
    describes="Dead letters that no retry can help: not a decodable image, or it killed the process twice",
    retention_days=30,
    record_bytes=_DEAD_LETTER_BYTES,
)
FAILED: Final = Topic(
    name="leaf.images.failed",
    describes="Dead letters after capped retries",
    retention_days=30,
    record_bytes=_DEAD_LETTER_BYTES,
)

TOPICS: Final[tuple[Topic, ...]] = (
    IMAGES,
    PREDICTIONS,
    REPLAYS,
    RUNS,
    FEEDBACK,
    EXPERIMENTS,
    UNPROCESSABLE,
    FAILED,
)

#: aiokafka's and Java's default. librdkafka's own default (CRC32) would put a camera's frames on other partitions.
PARTITIONER: Final = "murmur2_random"

WORKER_GROUP: Final = "leaf-workers"
"""Consumer group of the live workers on the images topic."""
SINK_GROUP: Final = "leaf-sink"
"""Consumer group of the sink; its offsets stand in Redis, not in the broker."""
