"""One line when something goes away and one when it is back, however often it is asked in between."""

import logging


class Outage:
    """Remembers whether the last attempt succeeded."""

    def __init__(self, log: logging.Logger, what: str) -> None:
        self._log = log
        self._what = what
        self._away = False

    def began(self, reason: object) -> None:
        """An attempt failed."""
        if not self._away:
            self._away = True
            self._log.warning("%s: not just now (%s)", self._what, reason)

    def ended(self) -> None:
        """An attempt succeeded."""
        if self._away:
            self._away = False
            self._log.warning("%s: works again", self._what)
