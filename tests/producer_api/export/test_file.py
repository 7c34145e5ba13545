import pyarrow as pa
import pytest

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
