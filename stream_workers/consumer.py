"""Faust's consumer, asked for records only when there is room for them."""

from collections.abc import AsyncIterator
from typing import Any, Final

from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP
from mode.services import WaitResults

STREAM_POLLS: Final = 4
"""A stream's buffer holds so many polls; two at most are in it, which is less than Faust calls nearly full."""
_LOOK_AGAIN_S: Final = 0.003


class UnhurriedConsumer(Consumer):  # type: ignore[misc]
    """Keeps a worker fed without a pause, and its streams' buffers below the mark at which Faust stops reading.

    Faust leaves out the partitions whose stream is nearly full, and where that is every partition it sleeps for a
    second, in which a worker that does hundreds of photographs has nothing to do. Here the next poll waits until the
    streams hold at most one; so handing a record over never has to wait either, and needs no tasks that watch it.
    """

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109  as Faust calls it
        """At most one poll of (partition, message), once every stream has room for it."""
        poll = self.app.conf.broker_max_poll_records
        while any(topic.queue.qsize() > poll for topic in self.app.topics) and not self.should_stop:
            await self.sleep(_LOOK_AGAIN_S)
        async for partition, message in super().getmany(timeout):
            yield partition, message

    async def wait_first(self, *coros: Any, timeout: Any = None) -> WaitResults:  # noqa: ASYNC109  as Faust calls it
        """Faust hands each record over by this: the record's way to its stream, and the signal that cuts it short."""
        handing = len(coros) == 2 and timeout is None
        if not (handing and self.flow_active and self.app.flow_control.is_active()):
            return await super().wait_first(*coros, timeout=timeout)
        deliver, signal = coros
        signal.close()
        return WaitResults([deliver], [await deliver], stopped=False)
