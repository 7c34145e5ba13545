import csv

import pyarrow as pa
import pytest

from producer_api.export import rows
from producer_api.export.file import TOGETHER, write

SCHEMA = pa.schema([("n", pa.int64())])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_many_chunks_are_one_file(tmp_path, form):
    path = tmp_path / "deep" / "file"
    assert write(path, form, SCHEMA, ({"n": n} for n in range(2 * TOGETHER + 1))) == 2 * TOGETHER + 1
    table = pa.parquet.read_table(path) if form == "parquet" else pa.csv.read_csv(path)
    assert table["n"].to_pylist() == list(range(2 * TOGETHER + 1))


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interruption_leaves_the_old_file_and_nothing_else(tmp_path, interruption):
    path = tmp_path / "file.csv"
    path.write_text("old")

    def rows():
        yield from ({"n": n} for n in range(TOGETHER))
        raise interruption

    with pytest.raises(interruption):
        write(path, "csv", SCHEMA, rows())
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("file.csv", "old")]


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@x", "\t=1", "\rx", "\n=1", "  =1", "＝1", "＋1", "－1", "＠x", "-", '="a";"b"'],  # noqa: RUF001
)
def test_no_cell_of_a_csv_begins_a_formula_and_parquet_keeps_the_text(tmp_path, text):
    schema = pa.schema([("note", pa.string()), ("n", pa.float64()), ("by", pa.string())])
    rows = [{"note": text, "n": -1.5, "by": None}, {"note": "a=1", "n": None, "by": text}]
    write(tmp_path / "file.csv", "csv", schema, iter(rows))
    with (tmp_path / "file.csv").open(newline="") as file:
        assert list(csv.reader(file))[1:] == [[f"'{text}", "-1.5", ""], ["a=1", "", f"'{text}"]]
    write(tmp_path / "file.parquet", "parquet", schema, iter(rows))
    assert pa.parquet.read_table(tmp_path / "file.parquet")["note"].to_pylist() == [text, "a=1"]


def test_no_text_of_an_export_is_of_another_type_than_the_disarmed():
    kinds = {str(field.type) for schema in (rows.PREDICTIONS, rows.FEEDBACK, rows.RESULTS) for field in schema}
    assert kinds == {"string", "bool", "double", "int32", "int64", "timestamp[ms, tz=UTC]"}
