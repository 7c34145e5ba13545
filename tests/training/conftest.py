"""Synthetic data, and a network small enough to train in seconds."""

import functools
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from leaves import SOURCES, write_field, write_split
from tiny import known_to_networks

os.environ.setdefault("KERAS_BACKEND", "tensorflow")


@pytest.fixture(scope="session")
def leaves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.zip, val.zip and test.zip of synthetic leaves, and the same of a field in `wild/`."""
    folder = tmp_path_factory.mktemp("leaves")
    (folder / "wild").mkdir()
    rows = []
    for seed, (split, per_class) in enumerate({"train": 8, "val": 4, "test": 4}.items()):
        write_split(folder / f"{split}.zip", per_class, 100 * seed)
        names = write_field(folder / "wild" / f"{split}.zip", per_class // 2, 50 + 100 * seed)
        rows += [f"{split},{name},{source},field\n" for name, source in zip(names, itertools.cycle(SOURCES))]
    (folder / "wild" / "manifest.csv").write_text("split,path,source,background\n" + "".join(rows))
    return folder


@pytest.fixture(scope="session")
def prepared(leaves: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Prepares a split of `leaves`, once."""
    from training.layout import collections
    from training.prepared import prepare

    folder = tmp_path_factory.mktemp("prepared")
    return functools.cache(lambda split: prepare(collections(leaves), split, folder / split))


@pytest.fixture
def train(prepared: Callable[[str], Any]) -> Any:
    return prepared("train")


@pytest.fixture
def val(prepared: Callable[[str], Any]) -> Any:
    return prepared("val")


@pytest.fixture
def tiny() -> Iterator[str]:
    """Name of an architecture with a few thousand weights, known to the network builder while the test runs."""
    with known_to_networks() as name:
        yield name
