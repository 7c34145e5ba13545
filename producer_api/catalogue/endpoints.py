"""GET /models."""

import logging
from pathlib import Path

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError

from producer_api.services import ServicesHere
from schemas.card import CARD_FILE, ModelCard

log = logging.getLogger(__name__)

router = APIRouter(tags=["models"])


class Models(BaseModel):
    """Every exported model version, newest of each name first."""

    models: list[ModelCard]


@router.get("/models")
def models(services: ServicesHere) -> Models:
    """The cards: labels, input, calibration, and what each version reaches on which images."""
    cards = [card for path in services.settings.models_dir.glob(f"*/*/{CARD_FILE}") if (card := _card(path))]
    return Models(models=sorted(cards, key=lambda card: (card.name, card.trained_at), reverse=True))


def _card(path: Path) -> ModelCard | None:
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        log.warning("%s is no readable model card: %s", path, error)
        return None
