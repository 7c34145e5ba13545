import json

import examples
import pytest

from schemas.errors import EventError
from schemas.experiment import Experiment
from schemas.feedback import Feedback
from schemas.prediction import Prediction
from schemas.replay import Run

ENVELOPES = {
    Prediction: lambda: (examples.prediction(), examples.prediction().envelope("camera-1", "00-a-b-01")),
    Experiment: lambda: (examples.experiment(), examples.experiment().envelope()),
    Feedback: lambda: (examples.feedback(), examples.feedback().envelope()),
    Run: lambda: (examples.run(), examples.run().envelope()),
}


@pytest.fixture(params=ENVELOPES, ids=lambda kind: kind.__name__)
def written(request):
    event, envelope = ENVELOPES[request.param]()
    return request.param, event, envelope


def test_what_is_written_is_read_back(written):
    kind, event, envelope = written
    assert kind.read(envelope.key, envelope.value, envelope.headers()) == event


def test_unknown_fields_are_ignored_so_that_schemas_may_grow(written):
    kind, event, envelope = written
    grown = json.dumps(json.loads(envelope.value) | {"of_the_future": 1}).encode()
    assert kind.read(envelope.key, grown, envelope.headers()) == event


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"{}", None])
def test_malformed_values_are_refused_with_the_events_name(written, value):
    kind, _, envelope = written
    with pytest.raises(EventError, match="malformed"):
        kind.read(envelope.key, value, envelope.headers())


def test_an_event_of_another_type_is_refused(written):
    kind, _, envelope = written
    headers = dict(envelope.headers()) | {"ce_type": b"leaf.other"}
    with pytest.raises(EventError, match=r"leaf\.other"):
        kind.read(envelope.key, envelope.value, headers)
