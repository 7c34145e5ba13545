"""The reference engine against the default one, on the models that are served."""

import sys
from pathlib import Path

import numpy as np
import pytest
from workers import write_model

from schemas.card import CARD_FILE, ModelCard
from schemas.errors import ConfigurationError, ModelError
from stream_workers.decoding import decode
from stream_workers.engines import load_engine

SERVED = sorted((Path(__file__).parents[3] / "models").glob(f"*/*/{CARD_FILE}"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("path", SERVED, ids=lambda path: f"{path.parts[-3]}@{path.parts[-2]}")
def test_both_engines_say_the_same(path, leaves) -> None:
    card = ModelCard.load(path.parent)
    files = sorted(leaves.glob("samples/*/*.jpg"))[::4]
    pictures = np.stack([decode(file.read_bytes(), card.preprocessing.px).pixels for file in files])
    reference = load_engine("tensorflow", path.parent, card)
    served = load_engine("openvino", path.parent, card)
    expected = reference.infer(pictures[: reference.ceiling])
    found = served.infer(pictures[: reference.ceiling])
    assert expected.logits.shape == found.logits.shape
    assert expected.evidence.shape == found.evidence.shape
    assert expected.gate.shape == found.gate.shape
    np.testing.assert_allclose(expected.evidence.mean(axis=(1, 2)), expected.logits, atol=1e-3)
    agree = (expected.logits.argmax(-1) == found.logits.argmax(-1)).mean()
    assert agree >= 0.8, "int8 may differ from float on a few"
    assert np.corrcoef(expected.logits.ravel(), found.logits.ravel())[0, 1] > 0.98


def test_a_card_without_the_file(tmp_path) -> None:
    card = write_model(tmp_path, files={})
    with pytest.raises(ModelError, match=r"has no weights\.npz"):
        load_engine("tensorflow", tmp_path / "flat" / "1", card)


def test_where_tensorflow_is_left_out_the_error_says_which_image_has_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delitem(sys.modules, "stream_workers.engines.tensorflow", raising=False)
    with pytest.raises(ConfigurationError, match="tensorflow is not installed") as caught:
        load_engine("tensorflow", tmp_path, write_model(tmp_path))
    assert "ENGINE=tensorflow" in caught.value.remedy
