import json

CARD = {
    "name": "resnet50",
    "version": "1",
    "architecture": "resnet50",
    "preprocessing": {"px": 128},
    "files": {"model.xml": "0" * 64},
    "batch_ceiling": {"openvino": 32},
    "calibration": {"temperature": 1.1, "confidence_threshold": 0.5, "gate_temperature": 1, "gate_threshold": 0.5},
    "metrics": {"test": {"images": 10, "accuracy": 0.9, "macro_f1": 0.9, "weighted_f1": 0.9, "ece": 0.01}},
    "data_fingerprint": "d",
    "code_fingerprint": "c",
    "recipe": {"epochs": 3},
    "trained_at": "2026-11-01T00:00:00Z",
}


def card(models, name, version, day):
    directory = models / name / version
    directory.mkdir(parents=True)
    fields = CARD | {"name": name, "version": version, "trained_at": f"2026-11-{day:02d}T00:00:00Z"}
    (directory / "card.json").write_text(json.dumps(fields))


async def test_tells_the_cards_newest_of_each_name_first(client, api_settings):
    assert (await client.get("/models")).json() == {"models": []}
    models = api_settings.models_dir
    card(models, "resnet50", "1", 1)
    card(models, "resnet50", "2", 2)
    card(models, "efficientnetb0", "1", 3)
    (models / "broken" / "1").mkdir(parents=True)
    (models / "broken" / "1" / "card.json").write_text("{}")
    told = (await client.get("/models")).json()["models"]
    assert [(one["name"], one["version"]) for one in told] == [
        ("resnet50", "2"),
        ("resnet50", "1"),
        ("efficientnetb0", "1"),
    ]
    assert told[0]["metrics"]["test"]["accuracy"] == 0.9
