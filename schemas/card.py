"""The model card: everything a worker must know to load, check and serve a model."""

import hashlib
from pathlib import Path
from typing import Final, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import ModelError
from schemas.labels import LABELS, OUTPUTS
from schemas.reasons import reasons

CARD_FILE = "card.json"
WEIGHTS_FILE: Final = "weights.npz"
"""`str(i)` -> the i-th array of `keras.Model.get_weights()`, float16: for the TensorFlow engine and training on."""


class Preprocessing(BaseModel):
    """How a decoded image becomes the network's input, which is uint8 RGB [N, px, px, 3]; scaling is in the network."""

    model_config = ConfigDict(frozen=True)

    px: int = Field(ge=32, le=512)
    """Side of the square input, pixels."""
    crop: str = "centre-square"
    resample: str = "bilinear-antialiased"


class Calibration(BaseModel):
    """Fitted on the validation splits of lab and field with the served (int8) logits.

    p = softmax(logits / temperature) (Guo et al. 2017, arXiv:1706.04599); gate p = sigmoid(gate / gate_temperature).
    """

    model_config = ConfigDict(frozen=True)

    temperature: float = Field(gt=0)
    confidence_threshold: float = Field(ge=0, le=1)
    """From this calibrated confidence on the verdict is `diagnosed`."""
    likely_threshold: float = Field(1, ge=0, le=1)
    """From this calibrated confidence on the verdict is `likely`, below it `uncertain`; models up to version 5 know no
    `likely`."""
    second_look: float = Field(0, ge=0, le=1)
    """Below this calibrated confidence a photograph is computed twice (`stream_workers.engines.second_look`)."""
    gate_temperature: float = Field(gt=0)
    gate_threshold: float = Field(ge=0, le=1)
    """Below this probability of being a tomato leaf the verdict is `not_tomato_leaf`."""


class Histogram(BaseModel):
    """Reference distribution of one drift feature: `len(edges) - 1` shares that sum to 1."""

    model_config = ConfigDict(frozen=True)

    edges: list[float]
    shares: list[float]


class ClassMetrics(BaseModel):
    """One class on one split."""

    precision: float
    recall: float
    f1: float
    support: int


class SplitMetrics(BaseModel):
    """What the served model reaches on one split, by the definitions of `leaf evaluate`."""

    images: int
    accuracy: float
    macro_f1: float
    weighted_f1: float
    ece: float
    coverage: float | None = None
    selective_accuracy: float | None = None
    coverage_likely: float | None = None
    likely_accuracy: float | None = None
    other_diagnosed: float | None = None
    gatekeeper_auroc: float | None = None
    gatekeeper_false_reject: float | None = None
    gatekeeper_false_accept: float | None = None
    per_class: dict[str, ClassMetrics] = {}
    note: str = ""


class ModelCard(BaseModel):
    """`models/<name>/<version>/card.json`."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    name: str = Field(pattern=r"^[a-z0-9_]{1,40}$")
    version: str = Field(pattern=r"^[a-z0-9.]{1,20}$")
    architecture: str
    """Name of the network in `stream_workers.engines.networks`."""
    labels: tuple[str, ...] = LABELS
    """What its logits stand for: the ten, or `schemas.labels.OUTPUTS`."""
    preprocessing: Preprocessing
    files: dict[str, str]
    """File name to SHA-256 hex digest."""
    batch_ceiling: dict[str, int]
    """Engine name to the largest batch worth computing at once."""
    calibration: Calibration
    metrics: dict[str, SplitMetrics]
    """`test`, `val`, ...: the lab's, as served (int8); `test_float`: the float network; `field_test`, `field_val`: all
    field photographs."""
    by_source: dict[str, SplitMetrics] = {}
    """Source of field photographs -> the figures on its test photographs."""
    drift_baselines: dict[str, Histogram] = {}
    class_shares: dict[str, float] = {}
    """Predicted label mix on the training images."""
    data_fingerprint: str
    code_fingerprint: str
    recipe: dict[str, str | int | float | bool]
    trained_at: AwareDatetime

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        if self.labels not in {LABELS, OUTPUTS}:
            msg = f"labels must be {LABELS} or {OUTPUTS}, in this order"
            raise ValueError(msg)
        return self

    @property
    def id(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read and check a card with the files it names. Raises ModelError if anything does not fit."""
        path = directory / CARD_FILE
        try:
            card = cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            msg = f"{path} does not exist"
            raise ModelError(msg, "Export the model with `python -m training export`.") from None
        except OSError as error:
            raise _unreadable(error) from error
        except ValidationError as error:
            msg = f"{path} is not a model card: {'; '.join(reasons(error))}"
            raise ModelError(msg, "Export the model again.") from error
        if (directory.parent.name, directory.name) != (card.name, card.version):
            msg = f"{path} is the card of {card.id}"
            raise ModelError(msg, "Put the model into models/<name>/<version>/.")
        for name, expected in card.files.items():
            file = directory / name
            if not file.is_file():
                msg = f"{file} is missing"
                raise ModelError(msg, "Export or copy the model again.")
            try:
                with file.open("rb") as stream:
                    digest = hashlib.file_digest(stream, "sha256").hexdigest()
            except OSError as error:
                raise _unreadable(error) from error
            if digest != expected:
                msg = f"{file} does not match the checksum in its card"
                raise ModelError(msg, "Export or copy the model again.")
        return card


def newest(models: Path, name: str) -> ModelCard | None:
    """The version of a model that was trained last, if there is one. Raises ModelError as `ModelCard.load`."""
    cards = [ModelCard.load(card.parent) for card in models.glob(f"{name}/*/{CARD_FILE}")]
    return max(cards, key=lambda card: card.trained_at, default=None)


def _unreadable(error: OSError) -> ModelError:
    return ModelError(f"{error.filename} can't be read: {error.strerror}", "Let the worker read the model's files.")
