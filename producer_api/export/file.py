"""The file that an export writes: there whole, or not at all."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from producer_api.export.rows import Row

Format = Literal["csv", "parquet"]
TOGETHER: Final = 5000
"""Rows in memory at once."""


def write(path: Path, form: Format, schema: pa.Schema, rows: Iterable[Row]) -> int:
    """Write the rows beside the file, then put it in place; says how many. Whatever fails leaves nothing behind."""
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        with _writer(partial, form, schema) as writer:
            for chunk in _chunks(iter(rows)):
                writer.write_table(pa.Table.from_pylist(chunk, schema))
                count += len(chunk)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return count


def _writer(path: Path, form: Format, schema: pa.Schema) -> Any:
    if form == "csv":
        return pyarrow.csv.CSVWriter(path, schema)
    return pyarrow.parquet.ParquetWriter(path, schema)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, TOGETHER)):
        yield chunk
