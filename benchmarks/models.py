"""The stored models that are measured."""

from pathlib import Path

from schemas.card import CARD_FILE, newest

MODELS = Path("models")


def newest_models() -> list[Path]:
    """One directory a model name, the newest version: what the `default` experiment serves."""
    names = sorted({path.parent.parent.name for path in MODELS.glob(f"*/*/{CARD_FILE}")})
    return [MODELS / card.name / card.version for name in names if (card := newest(MODELS, name))]
