"""Which camera a record of the images topic is of, whoever produced it."""

import json
from types import SimpleNamespace

import pytest
from workers import image_event

from stream_workers.replay.replayer import camera_of

BINARY = image_event(1, camera="roof").envelope().headers()
WHOLE = {"specversion": "1.0", "id": "image-0000000000000001", "type": "leaf.image.accepted", "source": "/s"}
STRUCTURED = [("content-type", b"application/cloudevents+json")]


@pytest.mark.parametrize(
    ("headers", "value", "camera"),
    [
        (BINARY, b"", "roof"),
        ([("x", b"\xff"), *BINARY, ("x", None)], None, "roof"),
        (STRUCTURED, json.dumps(WHOLE | {"camera": "roof"}).encode(), "roof"),
        (STRUCTURED, json.dumps(WHOLE).encode(), None),
        ([("ce_camera", b"roof")], b"", None),
        ([], None, None),
    ],
)
def test_the_camera_of_a_record(headers, value, camera) -> None:
    assert camera_of(SimpleNamespace(key=None, value=value, headers=headers)) == camera
