"""Whatever bytes arrive: no answer is 5xx, and what is answered 202 the worker decodes.

2,000 files by default; LEAF_MUTATIONS=20000 (`make mutations`) for as many as that.
"""

import asyncio
import io
import os
from collections import Counter

import pytest
from mutations import mutated
from PIL import Image

from schemas.normalisation import MAX_SIDE, MIN_SIDE
from schemas.topics import MAX_IMAGE_BYTES
from stream_workers.decoding import decode

COUNT = int(os.environ.get("LEAF_MUTATIONS", "2000"))
AT_ONCE = 8
FEW, MANY = 128, 160
"""Pixels that models see."""


def check_event(value):
    """Raises what the worker would raise."""
    with Image.open(io.BytesIO(value)) as image:
        assert image.mode == "RGB"
        assert not image.getexif()
        assert max(image.size) <= MAX_SIDE
        assert min(image.size) >= MIN_SIDE
    assert len(value) <= MAX_IMAGE_BYTES
    for px in (FEW, MANY):
        assert decode(value, px).pixels.shape == (px, px, 3)


@pytest.mark.slow
@pytest.mark.timeout(60 + COUNT // 5)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of the damage
async def test_no_file_is_answered_5xx_and_what_is_accepted_can_be_decoded(client, acceptance):
    answers = Counter()
    files = mutated(COUNT)

    async def upload():
        for what, data in files:
            answer = await client.post("/predict", files={"file": ("leaf.jpg", data)})
            answers[answer.status_code] += 1
            assert answer.status_code in {202, 413, 415, 422}, f"{what}: {answer.text}"
            if answer.status_code != 202:
                problem = answer.json()
                assert problem["detail"], what
                assert problem["remedy"], what

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(upload())
    assert len(acceptance.accepted) == answers[202]
    for _, envelope in acceptance.accepted:
        check_event(envelope.value)
    assert answers.total() == COUNT
    assert answers[202] > COUNT / 5, answers
    assert answers[422] > COUNT / 5, answers
