"""The report as text, and as one HTML file that needs nothing else."""

import base64
from collections.abc import Mapping
from html import escape
from typing import Final

from schemas.labels import DISPLAY_NAMES, NOT_TOMATO_LEAF, OTHER_TOMATO_PROBLEM
from stream_workers.replay.report.comparison import FAILED, Comparison

_NAMES: Final = DISPLAY_NAMES | {
    OTHER_TOMATO_PROBLEM: "Another tomato problem",
    NOT_TOMATO_LEAF: "Not a tomato leaf",
    FAILED: "Failed",
}
_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0 }
th, td { padding: .25rem .6rem; border: 1px solid #d8d8d8; text-align: right }
th { font-weight: 600; text-align: left; background: #f5f5f2 }
thead th { vertical-align: bottom } td.same { background: #e6f2e6 } td.other { background: #fbe5dc }
img { max-width: 100% } .wide { overflow-x: auto }
"""


def text(run: str, against: str, comparison: Comparison) -> str:
    """For a terminal."""
    if not comparison.images:
        return f"{run} against {against}: no images to compare.{_missing(comparison)}"
    lines = [f"{run} against {against}:{_missing(comparison)}"]
    lines += [f"  {name}: {value}" for name, value in _numbers(comparison)]
    lines += ["  changes:"]
    moved = [
        (number, f"    {number:6d}  {before} -> {after}")
        for before, row in comparison.matrix.items()
        for after, number in row.items()
        if before != after
    ]
    lines += [line for _, line in sorted(moved, key=lambda each: -each[0])] or ["    none"]
    return "\n".join(lines)


def html(run: str, against: str, comparison: Comparison, sheet: bytes) -> str:
    """A page; the contact sheet is inside."""
    title = escape(f"{run} against {against}")
    numbers = "".join(f"<tr><th>{escape(name)}<td>{escape(value)}" for name, value in _numbers(comparison))
    picture = base64.b64encode(sheet).decode()
    most = f'<img alt="the most changed images" src="data:image/png;base64,{picture}">' if comparison.most else "None."
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style>
<h1>{title}</h1><p>{escape(_missing(comparison).strip())}
<table>{numbers}</table>
<h2>Label by label</h2><p>Rows: before. Columns: in this run.<div class="wide">{_matrix(comparison)}</div>
<h2>Most changed</h2>{most}
</html>
"""


def _numbers(comparison: Comparison) -> list[tuple[str, str]]:
    numbers = [
        ("images", str(comparison.images)),
        ("answered before by", _counted(comparison.models_before)),
        ("answered in this run by", _counted(comparison.models_after)),
        ("verdicts before", _counted(comparison.verdicts_before)),
        ("verdicts in this run", _counted(comparison.verdicts_after)),
        ("same label", _percent(comparison.agreement)),
    ]
    if shift := comparison.shift:
        numbers.append(("confidence shift", ", ".join(f"{name} {value:+.3f}" for name, value in shift.items())))
    if comparison.labelled:
        numbers += [
            ("labelled by people", str(comparison.labelled)),
            ("accuracy before", _percent(comparison.accuracy_before)),
            ("accuracy in this run", _percent(comparison.accuracy_after)),
        ]
    return numbers


def _matrix(comparison: Comparison) -> str:
    labels = comparison.labels
    head = "".join(f"<th>{escape(_NAMES[label])}" for label in labels)
    rows = "".join(
        f"<tr><th>{escape(_NAMES[before])}" + "".join(_cell(comparison, before, after) for after in labels)
        for before in labels
    )
    return f"<table><thead><tr><th>{head}</thead>{rows}</table>"


def _cell(comparison: Comparison, before: str, after: str) -> str:
    number = comparison.matrix[before][after] if before in comparison.matrix else 0
    if not number:
        return "<td>"
    return f'<td class="{"same" if before == after else "other"}">{number}'


def _missing(comparison: Comparison) -> str:
    if not comparison.missing:
        return ""
    return f" {comparison.missing} images of the run have no result on the other side, or none any more."


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in sorted(numbers.items())) or "-"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
