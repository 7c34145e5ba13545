"""Records that no worker can diagnose, straight into the images topic."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer

from ops.chaos.growers import photograph
from ops.clients import client
from producer_api.seal import Seal, shared_key
from producer_api.task_id import TaskIds
from schemas.image import ImageEvent
from schemas.topics import IMAGES, PARTITIONER

WAIT_S: Final = 60


def produce_poison(bootstrap: str, var: Path, count: int, dice: random.Random) -> set[tuple[int, int]]:
    """Produce `count` records, in turn of each kind, and return where they stand as (partition, offset).

    The kinds: noise, half a JPEG, an empty value, and a photograph whose capture time is no time. All carry ids that
    the API would have given out, so that their results can be asked for.
    """
    ids = TaskIds(Seal(shared_key(var / "task_id.key")), retention_seconds=86400)
    producer = Producer(client(bootstrap) | {"partitioner": PARTITIONER, "enable.idempotence": True})
    positions: set[tuple[int, int]] = set()

    def stored(error: Any, message: Any) -> None:
        if error is None:
            positions.add((message.partition(), message.offset()))

    for number in range(count):
        noise = dice.randbytes(400)
        jpeg = photograph(dice.randrange(1000))
        value = (noise, jpeg[:1500], b"", jpeg)[number % 4]
        task_id = ids.new()
        event = ImageEvent(id=task_id, jpeg=value, accepted_at=datetime.now(UTC), key=task_id)
        headers = event.envelope().headers()
        if number % 4 == 3:
            headers.append(("ce_capturedat", b"yesterday"))
        producer.produce(IMAGES.name, value=value, key=task_id, headers=headers, on_delivery=stored)
    producer.flush(WAIT_S)
    return positions
