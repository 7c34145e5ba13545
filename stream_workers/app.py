"""The Faust app: how it is set so that promise 2 holds and memory stays bounded."""

from typing import Final

import faust

from schemas.settings import var_dir
from schemas.topics import IMAGES, MAX_IMAGE_BYTES
from stream_workers.consumer import STREAM_POLLS, UnhurriedConsumer
from stream_workers.offsets import IdentifiedConsumer
from stream_workers.settings import WorkerSettings
from stream_workers.topology import EMBEDDED_TOPIC_ID, METADATA_MAX_AGE_MS

MAX_RECORD_BYTES: Final = 2 * 1024 * 1024
"""Above the broker's limit of 1 MiB, so that even the largest poison fits into a dead letter."""
EMBEDDED_SESSION_S: Final = 6.0
"""A rebalance of the in-memory broker lasts a whole session timeout; this is the shortest there is."""


def faust_app(settings: WorkerSettings, topic_id: str = EMBEDDED_TOPIC_ID) -> faust.App:
    """The app, without agents. `topic_id`: of the images topic."""
    embedded = settings.mode == "embedded"
    poll = -(-settings.batch_images // 2)
    datadir = var_dir() / "faust"
    datadir.mkdir(parents=True, exist_ok=True)  # Faust makes the last folder only
    app = faust.App(
        settings.group,
        broker=";".join(f"aiokafka://{server}" for server in settings.kafka.split(",")),
        datadir=datadir,
        # A stop or a rebalance waits for what is in work; without this, unfinished work is committed on SIGTERM.
        stream_wait_empty=True,
        # Counted in photographs, not bytes: the default of 4096 is gigabytes.
        stream_buffer_maxsize=STREAM_POLLS * poll,
        broker_max_poll_records=poll,
        consumer_max_fetch_size=2 * MAX_IMAGE_BYTES,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=settings.commit_interval_s,
        broker_session_timeout=EMBEDDED_SESSION_S if embedded else settings.session_timeout_s,
        broker_heartbeat_interval=2,
        broker_rebalance_timeout=30,
        consumer_metadata_max_age_ms=METADATA_MAX_AGE_MS,
        producer_acks=-1,
        producer_linger=0,  # in seconds: 5 holds every prediction back for 5 s
        producer_max_request_size=MAX_RECORD_BYTES,
        # Topics are made by `leaf topics` and by nothing else.
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    app.transport.Consumer = UnhurriedConsumer if embedded else _of_topic(topic_id)
    return app


def _of_topic(topic_id: str) -> type[IdentifiedConsumer]:
    """Faust makes its consumer itself, and gives it nothing of ours."""

    class OfTopic(IdentifiedConsumer):
        """Reads this images topic."""

    OfTopic.topic_id = topic_id
    return OfTopic


def images(app: faust.App) -> faust.TopicT:
    """The images topic, keys and values as the bytes they are, nothing to be decoded or dropped."""
    return app.topic(IMAGES.name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
