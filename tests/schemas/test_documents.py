import copy
import json

import jsonschema
import pytest

from schemas import documents
from schemas.prediction import Prediction
from schemas.topics import TOPICS

RELEASED = documents.ROOT / "released"


@pytest.mark.parametrize("path", documents.documents(), ids=lambda path: path.name)
def test_checked_in_documents_are_those_of_the_code(path):
    assert path.read_text() == documents.documents()[path], "run `python -m schemas.documents` and review the change"


def test_every_topic_is_described():
    api = documents.asyncapi()
    assert api["channels"].keys() == {topic.name for topic in TOPICS}
    for operation in api["operations"].values():
        assert operation["channel"]["$ref"].rpartition("/")[2] in api["channels"]


@pytest.mark.parametrize("event", documents.CARRIERS, ids=lambda event: event.__name__)
def test_schemas_are_valid(event):
    jsonschema.Draft202012Validator.check_schema(event.model_json_schema())


def breaks(released, current, where="#"):
    """What a reader of `current` could not take of what a writer of `released` wrote, and the other way round."""
    fixed = ("type", "const", "format", "pattern")
    found = [f"{where}: {name} changed" for name in fixed if released.get(name) != current.get(name)]
    if not set(released.get("enum", [])) <= set(current.get("enum", released.get("enum", []))):
        found.append(f"{where}: enum lost values")
    if set(current.get("required", [])) - set(released.get("required", [])):
        found.append(f"{where}: newly required")
    if set(released.get("required", [])) - set(current.get("required", [])):
        found.append(f"{where}: no longer required")
    for group in ("properties", "$defs"):
        for name, part in released.get(group, {}).items():
            if name not in current.get(group, {}):
                found.append(f"{where}/{group}/{name}: removed")
            else:
                found += breaks(part, current[group][name], f"{where}/{group}/{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(released.get(name), dict):
            found += breaks(released[name], current.get(name, {}), f"{where}/{name}")
    for old, new in zip(released.get("anyOf", []), current.get("anyOf", []), strict=False):
        found += breaks(old, new, f"{where}/anyOf")
    return found


@pytest.mark.parametrize("event", documents.CARRIERS, ids=lambda event: event.__name__)
def test_schemas_only_grow_in_compatible_ways(event):
    released = json.loads((RELEASED / f"{event.__name__.lower()}.json").read_text())
    assert breaks(released, event.model_json_schema()) == []


def test_the_comparison_sees_what_breaks_readers():
    released = Prediction.model_json_schema()

    def changed(edit):
        schema = copy.deepcopy(released)
        edit(schema)
        return breaks(released, schema)

    assert changed(lambda schema: schema["properties"].pop("camera"))
    assert changed(lambda schema: schema["required"].append("camera"))
    assert changed(lambda schema: schema["properties"]["attempt"].update(type="string"))
    assert changed(lambda schema: schema["$defs"]["Answer"]["properties"]["label"]["enum"].pop())
    assert changed(lambda schema: schema["properties"].update(new={"type": "string"})) == []
