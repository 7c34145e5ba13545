"""The page behind real nginx, in a real browser, in front of a double of the API."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from chromium import chromium, opened
from door import Door
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, FilePayload, Page

from ops.nginx import ROOT
from ops.ports import accepts, free_port
from ops.process import Process


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module only: while Playwright is open, no asyncio test can run."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def double(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the API's double."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "api_double:app", "--port", str(port), "--log-level", "warning"]
    process = Process(
        "double",
        [*command, "--app-dir", str(Path(__file__).parent)],
        log=tmp_path_factory.mktemp("double") / "log",
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "support")])},
        ready=lambda: accepts(port),
    )
    with process:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def door(tmp_path_factory: pytest.TempPathFactory, double: str) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("nginx"), [int(double.rpartition(":")[2])]) as running:
        yield running


@pytest.fixture
def seen(double: str) -> Callable[[], dict[str, Any]]:
    """What reached the API so far."""
    return lambda: httpx.get(f"{double}/seen").json()


@pytest.fixture
def page(browser: Browser, door: Door) -> Iterator[Page]:
    """The page, just opened; in the end it must have made no error and broken no policy."""
    with opened(browser, door.url) as (page, errors):
        yield page
        assert errors == []


def leaf_jpeg() -> bytes:
    picture = Image.new("RGB", (480, 360), (196, 188, 170))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((90, 40, 400, 320), fill=(74, 122, 58))
    draw.ellipse((230, 120, 300, 180), fill=(94, 66, 38))
    out = io.BytesIO()
    picture.save(out, "JPEG")
    return out.getvalue()


@pytest.fixture(scope="session")
def photo() -> Callable[[str], FilePayload]:
    """A photograph under a given name."""
    jpeg = leaf_jpeg()
    return lambda name: {"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": jpeg}
