"""`python -m stream_workers`: one worker of the group. Start as many as there are cores to spare."""

import logging
import sys
from functools import partial
from pathlib import Path

from aiokafka.errors import KafkaError

from schemas import logs
from schemas.card import ModelCard
from schemas.errors import LeafError
from schemas.settings import from_environment
from stream_workers.engines import Engine, load_engine
from stream_workers.settings import WorkerSettings
from stream_workers.topology import images_topic_id
from stream_workers.worker import Worker


def main() -> None:
    """Run until SIGTERM or Ctrl-C; exit status 1 with one sentence if it can't start."""
    settings = from_environment(WorkerSettings)
    logs.configure(settings.log_level)
    try:
        topic_id = images_topic_id(settings.kafka, embedded=settings.mode == "embedded")
        Worker(settings, topic_id, partial(_load, settings)).execute()
    except LeafError as error:
        logging.getLogger("stream_workers").critical(error.advice)
        sys.exit(1)
    except KafkaError as error:
        logging.getLogger("stream_workers").critical("Kafka at %s went away: %s", settings.kafka, error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0)


def _load(settings: WorkerSettings, directory: Path, card: ModelCard) -> Engine:
    return load_engine(settings.engine, directory, card, settings.threads)


if __name__ == "__main__":
    main()
