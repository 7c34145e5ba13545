"""The last in the queue for the processor: what feeds and replays compute must not slow growers' uploads."""

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")
_PR_SET_PDEATHSIG = 1


def yield_processor() -> None:
    """Let every other process go first; to be called before any thread is started.

    Nice 19 has 1/68 of the weight of a process at the default. Where Linux first shares the processor out between
    sessions (autogroup, sched(7)), that counts only inside of one: there the program goes on as a child in a session of
    its own, which is made nice as a whole. The parent hands signals on and ends as the child does; if it is killed, so
    is the child, and with it whatever lock it holds.
    """
    with contextlib.suppress(OSError):
        if _AUTOGROUP.read_text().strip() == "1":
            _go_on_in_own_session()
            Path("/proc/self/autogroup").write_text("19")
    os.nice(19)


def _go_on_in_own_session() -> None:
    child = os.fork()
    if not child:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda came, _: os.kill(child, came))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os._exit(code if code >= 0 else 128 - code)
