"""What a person says about an experiment, and the version that follows from it."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from producer_api.errors import DefinitionError
from schemas.card import CARD_FILE, ModelCard
from schemas.errors import ModelError
from schemas.experiment import Arm, Experiment, Shadow, Variant
from schemas.reasons import reasons

LEAD: Final = timedelta(seconds=1)
"""How far ahead a version takes effect, so that every worker knows of it by then."""


class Definition(BaseModel):
    """What is left out stays as it is; in a new experiment: no shadows, sticky by image, salted with its name."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["running", "stopped"] = "running"
    arms: list[Arm] | None = None
    shadows: list[Shadow] | None = None
    sticky_key: Literal["image", "uploader", "camera"] | None = None
    salt: str | None = None
    """Another one shuffles all photographs anew."""

    def version(self, name: str, number: int, previous: Experiment | None, effective_at: datetime) -> Experiment:
        """The version this makes of the one before. Raises DefinitionError with the reason."""
        said = self.model_dump(exclude_none=True)
        kept = previous.model_dump() if previous else {"salt": name}
        if "arms" not in kept | said:
            msg = f"{name} is new and needs its arms"
            raise DefinitionError(msg, "Give at least one arm: name, model, version and weight.")
        fields = kept | said | {"name": name, "version": number, "effective_at": effective_at}
        try:
            return Experiment.model_validate(fields)
        except ValidationError as error:
            raise DefinitionError("; ".join(reasons(error)), "Nothing was changed. Correct the definition.") from error


def same(one: Experiment, other: Experiment) -> bool:
    """Whether two versions say the same."""
    return one.model_copy(update={"version": other.version, "effective_at": other.effective_at}) == other


def variants(experiment: Experiment) -> list[Variant]:
    """Everything that names a model version."""
    return [*experiment.arms, *experiment.shadows]


def check_models(experiment: Experiment, models: Path) -> None:
    """Raise DefinitionError where an arm or shadow names a model version that is not there, or not whole."""
    known = sorted(f"{card.parts[-3]}@{card.parts[-2]}" for card in models.glob(f"*/*/{CARD_FILE}"))
    for variant in variants(experiment):
        if variant.model_id not in known:
            msg = f"{variant.name}: there is no model {variant.model_id}"
            raise DefinitionError(msg, f"Known are {', '.join(known) or f'none, in {models}'}. Nothing was changed.")
        try:
            ModelCard.load(models / variant.model / variant.version)
        except ModelError as error:
            msg = f"{variant.name}: {error}"
            raise DefinitionError(msg, f"{error.remedy} Nothing was changed.") from error
