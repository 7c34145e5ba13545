import os
import shutil
import time

import httpx
import pytest

from ops.nginx import Nginx
from ops.ports import free_port


@pytest.mark.skipif(shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin") is None, reason="needs nginx")
@pytest.mark.parametrize("listen", ["127.0.0.1", "127.0.0.2"])
def test_the_access_log_begins_anew_when_it_grew_long(tmp_path, monkeypatch, listen):
    monkeypatch.setattr("ops.nginx.LOG_BYTES", 0)
    port = free_port(host=listen)
    door = Nginx(tmp_path / "nginx", listen=listen, port=port, upstreams=[free_port()], log=tmp_path / "nginx.log")
    door.start_seconds = 10
    access = tmp_path / "access.log"
    with door:
        for _ in range(2):
            assert httpx.get(f"http://{listen}:{port}/").status_code == 200
            deadline = time.monotonic() + 10
            while not access.stat().st_size:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            door.tend()
            while not access.exists():
                assert time.monotonic() < deadline
                time.sleep(0.1)
    assert access.with_name("access.log.1").read_text().count(" 200 ") == 1
