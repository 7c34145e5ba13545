import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from ops import jvm
from ops.jvm import java
from schemas.errors import ConfigurationError


def test_java_missing_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda *_args, **_options: None)
    with pytest.raises(ConfigurationError, match="java is not installed") as caught:
        java()
    assert "openjdk-17-jre-headless" in caught.value.remedy


def test_an_old_java_is_refused(monkeypatch, tmp_path):
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match="too old"):
        java()


def test_another_runtime_has_an_archive_of_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(jvm, "libraries", lambda: tmp_path)
    runtimes = [tmp_path / name for name in ("one", "two")]
    for runtime in runtimes:
        runtime.touch()
    archives = {jvm.archive(str(runtime)) for runtime in [*runtimes, *runtimes]}
    assert len(archives) == 2


def test_of_several_archives_written_at_once_one_is_kept_whole(tmp_path):
    written = [tmp_path / str(number) for number in range(8)]
    for file in written:
        file.write_text("classes" * 10_000)
    kept = tmp_path / "libs" / "kept.jsa"
    with ThreadPoolExecutor(len(written)) as pool:
        list(pool.map(lambda file: jvm.keep(file, kept), written))
    assert kept.read_text() == "classes" * 10_000
    assert sum(file.exists() for file in written) == len(written) - 1


def test_what_a_killed_maker_left_is_made_again(monkeypatch, tmp_path):
    monkeypatch.setattr(jvm, "ROOT", tmp_path)
    monkeypatch.setattr(jvm, "_fetch", lambda partial: partial.mkdir())
    libraries = jvm.libraries()
    libraries.rename(libraries.with_suffix(".partial"))
    (libraries.with_suffix(".partial") / "half.jar").touch()
    assert list(jvm.libraries().iterdir()) == []
