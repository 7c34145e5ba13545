"""The README's model table, made from the cards."""

from pathlib import Path

from schemas.card import CARD_FILE, ModelCard, SplitMetrics
from schemas.errors import LeafError
from training.evaluation import find_model

PAIRS = {
    "accuracy": "accuracy",
    "macro F1": "macro_f1",
    "ECE": "ece",
    "`diagnosed`": "coverage",
    "right of these": "selective_accuracy",
    "`diagnosed` or `likely`": "coverage_likely",
    "right of these ": "likely_accuracy",
    "gate AUROC": "gatekeeper_auroc",
    "gate: false reject": "gatekeeper_false_reject",
    "gate: false accept": "gatekeeper_false_accept",
    "other problem called `diagnosed`": "other_diagnosed",
}
"""Row -> figure; each is given for lab and field."""


def model_table(models: Path) -> str:
    """Markdown: a column pair, lab and field, for each model's newest version, as served, on test."""
    names = sorted({path.parent.parent.name for path in models.glob(f"*/*/{CARD_FILE}")})
    cards = [ModelCard.load(find_model(name, models)) for name in names]
    heads = [f"{card.id}, {place}" for card in cards for place in (f"{card.preprocessing.px} px, lab", "field")]
    lines = [f"| on test | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for row, figure in PAIRS.items():
        cells = [_cell(card.metrics.get(split), figure) for card in cards for split in ("test", "field_test")]
        lines.append(f"| {row.strip()} | {' | '.join(cells)} |")
    for row, split in (("accuracy in float", "test_float"), ("accuracy on swapped backgrounds", "test_swapped")):
        cells = [cell for card in cards for cell in (_cell(card.metrics.get(split), "accuracy"), "")]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def insert(text: str, table: str) -> str:
    """Replace what stands between the marks `<!-- models... -->` and `<!-- /models -->`. Raises LeafError without."""
    start, end = text.find("<!-- models"), text.find("<!-- /models -->")
    if not 0 <= start < end:
        msg = "there is no place for the table"
        raise LeafError(msg, "Add the lines <!-- models --> and <!-- /models -->.")
    first_line = text[start : text.index("-->", start) + 3]
    return f"{text[:start]}{first_line}\n{table}{text[end:]}"


def _cell(measured: SplitMetrics | None, figure: str) -> str:
    value = getattr(measured, figure, None)
    return "-" if value is None else f"{value:.3f}"
