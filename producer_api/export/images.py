"""The photographs behind the rows, as JPEG files."""

from collections.abc import Iterable
from pathlib import Path

from producer_api.export.rows import Row
from producer_api.export.topic import Stretch, TopicReader
from schemas.envelope import headers_of
from schemas.errors import EventError
from schemas.image import ImageEvent
from schemas.labels import LABELS
from schemas.topics import IMAGES


def save(reader: TopicReader, here: Stretch, rows: Iterable[Row], directory: Path) -> None:
    """Write each row's photograph to `<directory>/<true label, else label>/<image id>.jpg`; sets the rows' `image`.

    `here` is what the images topic holds now: what retention took stays null. One pass over the part that is needed.
    """
    wanted: dict[tuple[int, int], list[Row]] = {}  # a photograph delivered again has more than one row
    for row in rows:
        wanted.setdefault((row["partition"], row["offset"]), []).append(row)
    offsets: dict[int, tuple[int, int]] = {}
    for partition, offset in wanted:
        low, high = here.offsets.get(partition, (0, 0))
        if low <= offset < high:
            start, end = offsets.get(partition, (offset, offset + 1))
            offsets[partition] = min(start, offset), max(end, offset + 1)
    for message in reader.read(Stretch(IMAGES, offsets)):
        found = wanted.get((message.partition() or 0, message.offset() or 0), [])
        if not found:
            continue
        try:
            event = ImageEvent.read(message.key(), message.value(), headers_of(message))
        except EventError:
            continue  # it is poison, and its row tells so
        for row in found:
            if event.id == row["image_id"]:
                row["image"] = str(_write(directory, row, event.jpeg))


def _write(directory: Path, row: Row, jpeg: bytes) -> Path:
    label = row.get("true_label") or row.get("label")
    path = Path(label if label in LABELS else "unlabelled", f"{row['image_id']}.jpg")
    (directory / path).parent.mkdir(parents=True, exist_ok=True)
    (directory / path).write_bytes(jpeg)
    return path
