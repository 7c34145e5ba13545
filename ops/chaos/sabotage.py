"""Run a service with one promise's guard taken out, to show that the count notices.

`python -m ops.chaos.sabotage ROOM`, called by `make chaos ARGS="--sabotage sink"` or `worker`.
"""

import os
import re
import sys
from typing import Final

GUARDS: Final = re.compile(
    r"^ *if .* then return 'duplicate' end$|^ *if known\.shown then count\(known\.counters, \{'failed'\}, -1\) end$",
    re.MULTILINE,
)


def sink() -> int:
    """Nothing is recognised as applied before: what workers deliver twice counts twice."""
    from result_sink import __main__, store  # noqa: PLC0415  only the sabotaged room is imported

    store.SCRIPT, found = GUARDS.subn("", store.SCRIPT)  # type: ignore[misc]
    if found != 3:
        msg = f"{found} of the 3 lines by which the sink's script recognises duplicates were found"
        raise RuntimeError(msg)
    return __main__.main()


def worker() -> int:
    """Events are acknowledged, and soon committed, when they are read: what a killed worker held is lost."""
    os.environ["LEAF_WORKER_COMMIT_INTERVAL_S"] = "0.05"
    from stream_workers import __main__  # noqa: PLC0415
    from stream_workers.acknowledgement import Acknowledgement, Event  # noqa: PLC0415
    from stream_workers.photograph import Photograph  # noqa: PLC0415

    class Nothing:
        def ack(self) -> bool:
            return True

    note = Acknowledgement.accept

    def accept(self: Acknowledgement, photograph: Photograph, event: Event) -> None:
        event.ack()
        note(self, photograph, Nothing())

    Acknowledgement.accept = accept  # type: ignore[method-assign]
    __main__.main()
    return 0


if __name__ == "__main__":
    sys.exit({"result_sink": sink, "stream_workers": worker}[sys.argv[1]]())
