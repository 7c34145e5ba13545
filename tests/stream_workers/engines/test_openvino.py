"""The engine on a small network made here, and on the models that are served."""

import hashlib
from pathlib import Path

import numpy as np
import openvino
import pytest
from openvino import opset13 as ops
from workers import PX, write_model

from schemas.card import CARD_FILE, ModelCard
from schemas.errors import ModelError
from stream_workers.decoding import decode
from stream_workers.engines import load_engine
from stream_workers.engines.second_look import evidence_boxes, mirrored_views
from stream_workers.models import self_test

SERVED = sorted((Path(__file__).parents[3] / "models").glob(f"*/*/{CARD_FILE}"))


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, ModelCard]:
    """Logits are a linear function of the picture's mean colour."""
    weights = np.random.default_rng(0).normal(size=(3, 11)).astype(np.float32)
    image = ops.parameter([-1, PX, PX, 3], np.uint8, name="image")
    mean = ops.reduce_mean(ops.convert(image, np.float32), np.array([1, 2]))
    linear = ops.matmul(mean, weights, transpose_a=False, transpose_b=False)
    logits = ops.slice(linear, [0], [10], [1], [1])
    gate = ops.squeeze(ops.slice(linear, [10], [11], [1], [1]), [1])
    evidence = ops.unsqueeze(ops.unsqueeze(logits, [1]), [1])
    for node, name in ((logits, "logits"), (gate, "gate"), (evidence, "evidence")):
        node.output(0).get_tensor().set_names({name})
    directory = tmp_path / "linear" / "1"
    directory.mkdir(parents=True)
    openvino.save_model(openvino.Model([logits, gate, evidence], [image]), directory / "openvino.xml")
    files = {
        name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in ("openvino.xml", "openvino.bin")
    }
    return directory, write_model(tmp_path, "linear", files=files, batch_ceiling={"openvino": 10})


@pytest.mark.parametrize("count", [1, 2, 3, 5, 10])
def test_a_batch_is_its_pictures_one_by_one(model, count) -> None:
    engine = load_engine("openvino", *model)
    pictures = np.random.default_rng(count).integers(0, 256, (count, PX, PX, 3), np.uint8)
    together = engine.infer(pictures)
    assert together.logits.shape == (count, 10)
    assert together.gate.shape == (count,)
    assert together.evidence.shape == (count, 1, 1, 10)
    alone = [engine.infer(picture[None]) for picture in pictures]
    for name in together._fields:
        expected = np.concatenate([getattr(outputs, name) for outputs in alone])
        np.testing.assert_allclose(getattr(together, name), expected, rtol=1e-3, atol=1e-3)


def test_outputs_are_copies(model) -> None:
    engine = load_engine("openvino", *model)
    first = engine.infer(np.full((1, PX, PX, 3), 10, np.uint8))
    kept = first.logits.copy()
    engine.infer(np.full((1, PX, PX, 3), 200, np.uint8))
    np.testing.assert_array_equal(first.logits, kept)


def test_every_size_is_one_that_was_warmed(model) -> None:
    engine = load_engine("openvino", *model)
    assert list(engine.sizes) == [1, 2, 8, 10]


def test_a_second_look_is_taken_where_the_card_asks_for_it(model) -> None:
    directory, card = model
    doubting = {"second_look": 1.0, "temperature": 1000.0, "gate_threshold": 0.0}
    asking = card.model_copy(update={"calibration": card.calibration.model_copy(update=doubting)})
    pictures = np.random.default_rng(1).integers(0, 256, (3, PX, PX, 3), np.uint8)
    once, twice = (load_engine("openvino", directory, one) for one in (card, asking))
    first = once.infer(pictures)
    second = once.infer(mirrored_views(pictures, evidence_boxes(first), PX))
    both = (first.logits + second.logits) / 2
    np.testing.assert_allclose(twice.infer(pictures).logits, both, rtol=1e-3, atol=1e-3)


def test_a_card_without_the_file(tmp_path) -> None:
    card = write_model(tmp_path)
    with pytest.raises(ModelError, match=r"has no openvino\.xml"):
        load_engine("openvino", tmp_path / "flat" / "1", card)


def test_a_broken_file(model) -> None:
    directory, card = model
    (directory / "openvino.xml").write_text("<net/>")
    with pytest.raises(ModelError, match="can't be loaded"):
        load_engine("openvino", directory, card)


@pytest.mark.slow
@pytest.mark.parametrize("path", SERVED, ids=lambda path: f"{path.parts[-3]}@{path.parts[-2]}")
def test_the_served_models_answer_alike_in_any_batch(path, leaves) -> None:
    card = ModelCard.load(path.parent)
    engine = load_engine("openvino", path.parent, card)
    self_test(engine, card)
    files = sorted(leaves.glob("samples/*/*.jpg"))[:5]
    pictures = np.stack([decode(file.read_bytes(), card.preprocessing.px).pixels for file in files])
    together = engine.infer(pictures)
    alone = np.concatenate([engine.infer(picture[None]).logits for picture in pictures])
    np.testing.assert_allclose(together.logits, alone, atol=0.05)
