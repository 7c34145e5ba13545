import stat
from concurrent.futures import ThreadPoolExecutor

from producer_api.seal import Seal, shared_key


def test_the_shared_key_is_made_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "var" / "task_id.key"
    with ThreadPoolExecutor(1) as pool:
        keys = {pool.submit(shared_key, path).result() for _ in range(3)}
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["task_id.key"]


def test_a_process_that_comes_second_takes_what_is_there(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(b"given")
    assert shared_key(path) == b"given"


def test_derived_bytes_depend_on_each_part_and_the_key():
    seal = Seal(b"k")
    assert len(seal.derive(11, b"a", b"b")) == 11
    assert len({seal.derive(11, b"a", b"b"), seal.derive(11, b"ab", b""), Seal(b"l").derive(11, b"a", b"b")}) == 3
