from pathlib import Path

import pytest

from schemas.errors import LeafError
from training.table import insert, model_table

TEXT = "before\n<!-- models: made by a command -->\nold\n<!-- /models -->\nafter\n"


def test_the_table_replaces_what_stands_between_the_marks_and_can_be_put_in_again() -> None:
    table = model_table(Path("no models"))
    once = insert(TEXT, table)
    assert once == f"before\n<!-- models: made by a command -->\n{table}<!-- /models -->\nafter\n"
    assert insert(once, table) == once


def test_without_marks_nothing_is_overwritten() -> None:
    with pytest.raises(LeafError, match="no place"):
        insert("a README", "| table |")
