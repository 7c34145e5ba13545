import subprocess
import sys

import pytest
from httpx import ASGITransport, AsyncClient

from producer_api.app import create_app
from producer_api.headers import SECURITY


def test_imports_no_inference_engine():
    code = """
import sys
from producer_api.app import create_app
create_app()
heavy = {"tensorflow", "keras", "openvino", "faust", "torch", "cv2", "matplotlib"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
async def embedded(api_settings, services, tmp_path):
    (tmp_path / "index.html").write_text("<title>page</title>")
    app = create_app(api_settings.model_copy(update={"mode": "embedded", "frontend_dir": tmp_path}))
    app.state.services = services
    async with AsyncClient(transport=ASGITransport(app), base_url="http://api") as client:
        yield client


async def test_serves_the_page_itself_where_there_is_no_nginx(embedded):
    answer = await embedded.get("/")
    assert "page" in answer.text
    assert answer.headers["content-security-policy"] == SECURITY["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/nothing", "/result/nonsense", "/docs", "/healthz"])
async def test_every_answer_has_the_security_headers(embedded, path):
    answer = await embedded.get(path)
    assert all(answer.headers[name] == value for name, value in SECURITY.items())


def test_the_headers_are_those_of_nginx():
    from pathlib import Path

    told = (Path(__file__).parents[2] / "nginx" / "default.conf.template").read_text()
    for name, value in SECURITY.items():
        assert f'{name} "{value}"' in " ".join(told.split())
