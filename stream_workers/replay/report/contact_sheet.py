"""The most changed images on one picture."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from schemas.labels import NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM
from schemas.prediction import Prediction
from stream_workers.replay.report.comparison import Changed, shown

COLUMNS: Final = 6
SIDE: Final = 180
CAPTION: Final = 52
MARGIN: Final = 8
INK: Final = "#1b1b1b"
PAPER: Final = "#ffffff"
EMPTY: Final = "#d8d8d8"


def contact_sheet(changed: Sequence[Changed], jpegs: Mapping[str, bytes]) -> bytes:
    """A PNG: each image with what it showed before and after; grey where the image itself is gone."""
    columns = min(COLUMNS, max(1, len(changed)))
    rows = math.ceil(len(changed) / columns)
    width, height = columns * (SIDE + MARGIN) + MARGIN, rows * (SIDE + CAPTION + MARGIN) + MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, each in enumerate(changed):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (SIDE + MARGIN), MARGIN + row * (SIDE + CAPTION + MARGIN)
        draw.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), fill=EMPTY)
        if jpeg := jpegs.get(each.image_id):
            picture = Image.open(io.BytesIO(jpeg)).convert("RGB")
            picture.thumbnail((SIDE, SIDE))
            sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
        draw.multiline_text((left, top + SIDE + 3), caption(each), INK, font, spacing=2)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def caption(changed: Changed) -> str:
    """Two or three lines: before, after, and what a person said."""
    before, after, truth = changed.pair
    lines = [_line(prediction) for prediction in (before, after)]
    return "\n".join([lines[0], "now " + lines[1], *([f"person: {truth}"] if truth else [])])


def _line(prediction: Prediction) -> str:
    label, answer = shown(prediction), prediction.answer
    if answer is None:
        return label
    probability = {NOT_TOMATO_LEAF: 1 - answer.gate, OTHER_TOMATO_PROBLEM: answer.other}.get(label, answer.confidence)
    return f"{label} {probability:.0%}"
