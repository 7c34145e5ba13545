"""`python -m producer_api`: serve the API."""

import uvicorn

from producer_api.settings import ApiSettings
from producer_api.shared_metrics import shared_metrics
from schemas import logs
from schemas.settings import from_environment

STOP_SECONDS = 8
"""Requests in work get this long after SIGTERM, then the producer flushes."""
BACKLOG = 2048


def main() -> None:
    """Run until told to stop."""
    settings = from_environment(ApiSettings)
    logs.configure(settings.log_level)
    with shared_metrics(settings.processes):
        uvicorn.run(
            "producer_api.app:serve",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.processes,
            loop="uvloop",
            http="httptools",
            ws="none",
            proxy_headers=False,
            access_log=False,
            server_header=False,
            date_header=False,
            log_config=None,
            backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_SECONDS,
        )


if __name__ == "__main__":
    main()
