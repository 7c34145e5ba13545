import fcntl
import json

import pytest

from ops import run_file
from schemas.errors import ConfigurationError
from schemas.settings import ServiceSettings


@pytest.fixture(autouse=True)
def var(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "var"))
    for name in ("KAFKA", "REDIS", "MODE"):
        monkeypatch.delenv(name, raising=False)


def test_commands_find_the_addresses_while_a_stack_runs_and_not_after():
    with run_file.only_one():
        run_file.write({"kafka": "127.0.0.1:1", "redis": "127.0.0.1:2", "mode": "real", "url": "http://localhost:3"})
        assert ServiceSettings().kafka == "127.0.0.1:1"
        assert run_file.read()["url"] == "http://localhost:3"
    assert ServiceSettings().kafka == "127.0.0.1:9092"
    assert run_file.read() is None


def test_a_second_stack_is_told_where_the_first_one_is():
    with run_file.only_one():
        run_file.write({"url": "http://localhost:8081"})
        with pytest.raises(ConfigurationError, match="http://localhost:8081"), run_file.only_one():
            pass


def test_what_a_killed_stack_left_behind_does_not_count():
    run_file.path().parent.mkdir()
    run_file.path().write_text(json.dumps({"kafka": "127.0.0.1:1", "url": "http://localhost:3"}))
    assert run_file.read() is None
    with run_file.only_one():
        assert not run_file.path().exists()


def test_the_lock_goes_when_the_stack_fails():
    with pytest.raises(ZeroDivisionError), run_file.only_one():
        _ = 1 / 0
    with run_file.only_one(), (run_file.path().parent / "stack.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_directory_that_can_not_be_written_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LEAF_VAR", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="file can't be written") as caught, run_file.only_one():
        pass
    assert "LEAF_VAR" in caught.value.remedy
