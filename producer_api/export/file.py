"""The file that an export writes: there whole, or not at all."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from producer_api.export.rows import Row

Format = Literal["csv", "parquet"]
TOGETHER: Final = 5000
"""Rows in memory at once."""
_FORMULA: Final = r"\A(\s*[=+\-@＝＋－＠]|[\t\r\n])"  # noqa: RUF001  Excel takes the wide ones too


def write(path: Path, form: Format, schema: pa.Schema, rows: Iterable[Row]) -> int:
    """Write the rows beside the file, then put it in place; says how many. Whatever fails leaves nothing behind.

    In CSV a text that a spreadsheet would take for a formula has a `'` before it; Parquet keeps every text as it is.
    """
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        with _writer(partial, form, schema) as writer:
            for chunk in _chunks(iter(rows)):
                table = pa.Table.from_pylist(chunk, schema)
                writer.write_table(_disarmed(table) if form == "csv" else table)
                count += len(chunk)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _writer(path: Path, form: Format, schema: pa.Schema) -> Any:
    if form == "csv":
        return pyarrow.csv.CSVWriter(path, schema)
    return pyarrow.parquet.ParquetWriter(path, schema)


def _disarmed(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = pc.replace_substring_regex(table.column(index), _FORMULA, r"'\1", max_replacements=1)
            table = table.set_column(index, field, texts)
    return table


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, TOGETHER)):
        yield chunk
