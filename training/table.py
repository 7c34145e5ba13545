"""The README's model table, made from the cards."""

from pathlib import Path

from schemas.card import CARD_FILE, ModelCard, SplitMetrics
from schemas.errors import LeafError

COLUMNS = {
    "accuracy": "accuracy",
    "macro F1": "macro_f1",
    "ECE": "ece",
    "coverage": "coverage",
    "accuracy when answered": "selective_accuracy",
    "gatekeeper AUROC": "gatekeeper_auroc",
}


def model_table(models: Path) -> str:
    """Markdown: one row for each model, on test as served, with the float and background-swapped accuracy beside it."""
    lines = [
        f"| model | px | {' | '.join(COLUMNS)} | accuracy in float | accuracy on swapped backgrounds |",
        "|---" * (len(COLUMNS) + 4) + "|",
    ]
    for path in sorted(models.glob(f"*/*/{CARD_FILE}")):
        card = ModelCard.load(path.parent)
        cells = [_cell(card.metrics.get("test"), field) for field in COLUMNS.values()]
        cells += [_cell(card.metrics.get(split), "accuracy") for split in ("test_float", "test_swapped")]
        lines.append(f"| {card.id} | {card.preprocessing.px} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def insert(text: str, table: str) -> str:
    """Replace what stands between the marks `<!-- models... -->` and `<!-- /models -->`. Raises LeafError without."""
    start, end = text.find("<!-- models"), text.find("<!-- /models -->")
    if not 0 <= start < end:
        msg = "there is no place for the table"
        raise LeafError(msg, "Add the lines <!-- models --> and <!-- /models -->.")
    first_line = text[start : text.index("-->", start) + 3]
    return f"{text[:start]}{first_line}\n{table}{text[end:]}"


def _cell(measured: SplitMetrics | None, field: str) -> str:
    value = getattr(measured, field, None)
    return "-" if value is None else f"{value:.3f}"
