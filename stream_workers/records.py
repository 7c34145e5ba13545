"""The records that a worker writes, and their smaller forms."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from aiokafka.errors import MessageSizeTooLargeError

from schemas.prediction import Failure, Prediction
from schemas.topics import PREDICTIONS
from stream_workers.dead_letters import PREFIX

Headers = Sequence[tuple[str, bytes | None]]

TOO_LARGE: Final = "its prediction is larger than leaf.predictions takes (max.message.bytes)"


class Record(NamedTuple):
    """One record to be produced."""

    topic: str
    key: bytes | None
    value: bytes
    partition: int
    headers: Headers

    def smaller(self) -> "Record | None":
        """The next smaller form of a record that its topic refused; None: there is none.

        A prediction loses its heatmaps, then its shadows, and is a failure at last. A dead letter loses its value, then
        its key and all headers but those that say why and whence it came: the image itself is still in its topic.
        """
        if self.topic == PREDICTIONS.name:
            return self._smaller_prediction()
        if self.value:
            return self._replace(value=b"")
        kept = [(name, text) for name, text in self.headers if name.startswith(PREFIX)]
        smallest = self._replace(key=None, headers=kept)
        return smallest if smallest != self else None

    def _smaller_prediction(self) -> "Record | None":
        said = Prediction.model_validate_json(self.value)
        answers = [answer for answer in (said.answer, *said.shadows) if answer]
        if any(answer.heatmap for answer in answers):
            plain = [answer.model_copy(update={"heatmap": None}) for answer in answers]
            changes: dict[str, object] = {"answer": plain[0], "shadows": tuple(plain[1:])}
        elif said.shadows:
            changes = {"shadows": ()}
        elif said.answer:
            changes = {"answer": None, "features": None, "failure": Failure(kind="failed", error=TOO_LARGE)}
        else:
            return None
        return self._replace(value=said.model_copy(update=changes).model_dump_json(exclude_none=True).encode())


Buffer = Callable[[Record], Awaitable[Awaitable[object]]]
"""Record -> once it is buffered, a future of the broker's acknowledgement."""


async def store_alone(buffer: Buffer, record: Record) -> Record | None:
    """Store what was refused as too large together with others, in the largest form that its topic takes.

    Returns that form; None: not even the smallest. Raises what `buffer` raises.
    """
    form: Record | None = record
    while form:
        try:
            await (await buffer(form))
        except MessageSizeTooLargeError:
            form = form.smaller()
        else:
            return form
    return None
