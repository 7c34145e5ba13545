"""`python -m result_sink`: run one sink until SIGTERM or SIGINT."""

import logging
import signal
import sys

from result_sink.settings import SinkSettings
from result_sink.sink import Sink
from schemas.errors import ConfigurationError
from schemas.logs import configure
from schemas.settings import from_environment


def main() -> int:
    """Exit status: 0 after a signal, 1 where the set-up is not right."""
    settings = from_environment(SinkSettings)
    configure(settings.log_level)
    log = logging.getLogger("result_sink")
    sink = Sink(settings)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: sink.stop())
    try:
        sink.run()
    except ConfigurationError as error:
        log.error(error.advice)
        return 1
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
