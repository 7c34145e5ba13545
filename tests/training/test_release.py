"""From a training run to a scored model, with a network small enough for seconds."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from leaves import encoded, leaf
from tiny import known_to_networks
from typer.testing import CliRunner

from schemas.card import ModelCard
from schemas.errors import LeafError, ModelError
from schemas.labels import OUTPUTS
from stream_workers.engines import load_engine
from training.calibration import SECOND_LOOKS
from training.layout import collections
from training.prepared import Prepared
from training.recipe import Recipe
from training.release import UNCALIBRATED, Release

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # Keras 3.15 with NumPy 2.4
    pytest.mark.filterwarnings("ignore::DeprecationWarning:nncf"),
]


@pytest.fixture(scope="module")
def run_and_model(leaves: Path, prepared: Callable[[str], Prepared], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network trained for some steps, exported, calibrated and scored; every test gets a copy."""
    from training.trainer import Trainer

    folder = tmp_path_factory.mktemp("released")
    recipe = Recipe(
        architecture="tiny", steps=200, learning_rate=5e-3, sizes=((0.0, 64),), average_decay=0.9, field=0.3
    )
    with known_to_networks():
        Trainer(recipe, prepared("train"), prepared("val"), folder / "run", folder / "models").run()
        release = Release(folder / "models" / "tiny" / "1")
        release.export(recipe, folder / "run", prepared("train"), px=64)
        release.calibrate(collections(leaves))
        release.score("test", [leaves / "test.zip"])
        release.score("test_float", [leaves / "test.zip"], "tensorflow")
        release.score("field_test", [leaves / "wild" / "test.zip"])
    return folder


@pytest.fixture
def released(tiny: str, run_and_model: Path, tmp_path: Path) -> Release:
    shutil.copytree(run_and_model, tmp_path, dirs_exist_ok=True)
    return Release(tmp_path / "models" / "tiny" / "1")


def images(px: int = 64) -> np.ndarray:
    return np.stack([leaf(label, 7, px) for label in range(10)])


def test_the_released_model_is_what_workers_load(released: Release, leaves: Path) -> None:
    card = ModelCard.load(released.directory)
    assert card.id == "tiny@1"
    assert set(card.files) == {"openvino.xml", "openvino.bin", "weights.npz"}
    assert len(card.data_fingerprint) == len(card.code_fingerprint) == 64
    assert set(card.drift_baselines) == {"brightness", "contrast", "red", "green", "blue", "confidence"}
    assert set(card.metrics) == {"test", "test_float", "field_test"}
    assert card.labels == OUTPUTS
    assert card.metrics["field_test"].other_diagnosed is not None
    assert card.calibration.second_look in SECOND_LOOKS
    assert 0 < card.calibration.confidence_threshold <= 1
    assert card.metrics["test"].accuracy > 0.5

    int8 = load_engine("openvino", released.directory, card).infer(images())
    exact = load_engine("tensorflow", released.directory, card).infer(images())
    assert np.corrcoef(int8.logits.ravel(), exact.logits.ravel())[0, 1] > 0.95
    for outputs in (int8, exact):
        assert outputs.gate.shape == (10,)
        np.testing.assert_allclose(outputs.evidence.mean(axis=(1, 2)), outputs.logits, rtol=1e-3, atol=1e-3)

    with (released.directory / "openvino.bin").open("r+b") as stream:
        stream.write(b"\xff")
    with pytest.raises(ModelError, match="checksum"):
        ModelCard.load(released.directory)


def test_evaluate_prints_one_object_and_names_bad_files(released: Release, tmp_path: Path, leaves: Path) -> None:
    from training.evaluation import evaluate as evaluate_model
    from training.scoring import app as evaluate

    mixed = tmp_path / "mixed.zip"
    with zipfile.ZipFile(leaves / "test.zip") as source, zipfile.ZipFile(mixed, "w") as target:
        for name in source.namelist():
            target.writestr(f"some/where/{name}", source.read(name))
        big = io.BytesIO()
        from PIL import Image

        Image.fromarray(leaf(3, 1, 700)).resize((900, 700)).save(big, "JPEG")
        target.writestr("some/where/late_blight/big.jpg", big.getvalue())
        target.writestr("some/where/late_blight/empty.jpg", b"")
        target.writestr("some/where/late_blight/cut.png", encoded(leaf(3, 1))[:500])
    models = str(released.directory.parents[1])

    def run(*arguments: str) -> dict[str, Any]:
        result = CliRunner().invoke(evaluate, [str(mixed), "--models", models, "--json", *arguments])
        assert result.exit_code == 0, result.output
        figures: dict[str, Any] = json.loads(result.stdout)
        return figures

    int8, exact = run("--model", "tiny"), run("--model", "tiny@1", "--engine", "tensorflow")
    assert int8["images"] == exact["images"] == 10 * 4 + 3 * 4 + 1
    assert int8["bad_files"] == 2
    assert set(int8["bad_file_names"]) == {"some/where/late_blight/empty.jpg", "some/where/late_blight/cut.png"}
    assert 0 <= int8["gatekeeper_auroc"] <= 1
    manifest = tmp_path / "manifest.csv"
    names = zipfile.ZipFile(mixed).namelist()
    rows = [f"{name},{'desk' if '/healthy/' in name else 'wall'}\n" for name in names if "early" not in name]
    manifest.write_text("path,source\n" + "".join(rows))
    sources = run("--model", "tiny", "--by-source", str(manifest))["by_source"]
    assert {name: figures["images"] for name, figures in sources.items()} == {"desk": 4, "unknown": 4, "wall": 45}
    assert sources["desk"]["per_class"]["healthy"]["support"] == 4
    weighted = sum(one["accuracy"] * sum(map(sum, one["confusion"])) for one in sources.values())
    assert weighted == pytest.approx(int8["accuracy"] * 41)
    (tmp_path / "others" / "not_tomato_leaf").mkdir(parents=True)
    (tmp_path / "others" / "not_tomato_leaf" / "a.png").write_bytes(encoded(leaf(1, 1)))
    with pytest.raises(LeafError, match="of one of the ten labels"):
        evaluate_model([tmp_path / "others"], released.directory)
    plain = CliRunner().invoke(evaluate, [str(mixed), "--models", models, "--model", "tiny"])
    assert "macro_f1" in plain.stdout
    assert "empty.jpg" in plain.stdout


def test_reports_table_and_tracking_show_the_run(
    released: Release, tmp_path: Path, leaves: Path, recwarn: pytest.WarningsRecorder
) -> None:
    from training.report import write_reports
    from training.table import model_table

    models = released.directory.parents[1]
    older = shutil.copytree(released.directory, released.directory.with_name("0"))
    card = ModelCard.load(released.directory).model_copy(update={"version": "0", "metrics": {}})
    (older / "card.json").write_text(card.model_dump_json())  # a first round's: never scored
    (tmp_path / "runs").mkdir()
    (tmp_path / "run").rename(tmp_path / "runs" / "tiny")
    write_reports(models, tmp_path, leaves, tmp_path / "reports")
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["tiny-1"]
    made = {path.name for path in (tmp_path / "reports" / "tiny-1").iterdir()}
    assert made == {
        "report.md", "confusion.png", "reliability.png", "coverage.png", "training.png", "heatmaps.png",
        "history.jsonl",
    }  # fmt: skip
    accuracy = ModelCard.load(released.directory).metrics["test"].accuracy
    assert f"| {accuracy:.4f} |" in (tmp_path / "reports" / "tiny-1" / "report.md").read_text()
    field = ModelCard.load(released.directory).metrics["field_test"].accuracy
    table = model_table(models)
    assert "| tiny@1, 64 px, lab | tiny@1, field |" in table
    assert f"| {accuracy:.3f} | {field:.3f} |" in table


def test_sources_with_few_images_of_the_labels_have_no_figures(
    released: Release, leaves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import training.release as module

    (_, field) = collections(leaves)
    sources, origins = [field.splits()["test"]], {path: one for path, (one, _) in field.origins("test").items()}
    assert released.score("field_test", sources, origins=origins).by_source == {}
    monkeypatch.setattr(module, "FEWEST_OF_A_SOURCE", 5)
    assert set(released.score("field_test", sources, origins=origins).by_source) == {"north", "south"}


def test_a_report_is_made_on_val_where_there_is_no_test(released: Release, tmp_path: Path, leaves: Path) -> None:
    from training.report import write_reports

    models, without = released.directory.parents[1], tmp_path / "without test"
    without.mkdir()
    for split in ("train", "val"):
        shutil.copy(leaves / f"{split}.zip", without)
    with pytest.raises(ModelError, match="tiny@1 has no figures on val") as raised:
        write_reports(models, tmp_path, without, tmp_path / "reports")
    assert "calibrate tiny --version 1" in raised.value.remedy
    released.score("val", [without / "val.zip"])
    write_reports(models, tmp_path, without, tmp_path / "reports")
    assert "Val, as served" in (tmp_path / "reports" / "tiny-1" / "report.md").read_text()


def test_continuing_from_a_released_model_starts_with_its_weights(released: Release, tiny: str) -> None:
    from stream_workers.engines.networks import build_network
    from training.transfer import initialise

    network = build_network(tiny, px=64)
    initialise(network, "tiny@1", released.directory.parents[1])
    once = ModelCard.load(released.directory).model_copy(update={"calibration": UNCALIBRATED})
    exact = load_engine("tensorflow", released.directory, once).infer(images())
    np.testing.assert_allclose(network.predict(images(), verbose=0)["logits"], exact.logits, rtol=1e-4, atol=1e-4)


def test_continuing_from_the_average_of_a_run_starts_with_its_weights(released: Release, tiny: str) -> None:
    from stream_workers.engines.networks import build_network
    from training.kernels import REPLACEMENTS
    from training.transfer import initialise

    run = released.directory.parents[2] / "run"
    network = build_network(tiny, px=64, replace=REPLACEMENTS)
    initialise(network, str(run / "average.weights.h5"), run)
    plain = build_network(tiny, px=64)
    plain.load_weights(run / "average.weights.h5")
    for loaded, expected in zip(network.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, expected)


def test_exporting_before_training_says_what_to_do(train: Prepared, tmp_path: Path) -> None:
    recipe = Recipe(architecture="resnet50", steps=1, learning_rate=1)
    with pytest.raises(ModelError, match="checkpoint"):
        Release(tmp_path / "models" / "resnet50" / "1").export(recipe, tmp_path, train, px=64)
