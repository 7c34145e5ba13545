"""The only door: what it lets through, to whom, how fast, and what it says when it can't."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from door import Door

from ops.nginx import ROOT
from ops.ports import accepts, free_port
from ops.process import Process

PROBLEM = "application/problem+json"
API_PATHS = [
    "/predict",
    "/predict/batch",
    "/result/abc",
    "/batch/abc",
    "/models",
    "/experiments",
    "/experiments/default",
    "/analytics/series",
    "/cameras/c1/results",
    "/runs",
    "/docs",
    "/docs/assets/a.js",
    "/openapi.json",
    "/healthz",
    "/readyz",
]


def upstream(directory: Path, port: int) -> Process:
    command = [sys.executable, "-m", "uvicorn", "upstream:app", "--port", str(port), "--log-level", "warning"]
    return Process(
        f"upstream-{port}",
        [*command, "--app-dir", str(Path(__file__).parent)],
        log=directory / f"upstream-{port}.log",
        ready=lambda: accepts(port),
    )


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with upstream(tmp_path_factory.mktemp("upstream"), free_port()) as running:
        yield running


def port_of(process: Process) -> int:
    return int(process.name.removeprefix("upstream-"))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, api: Process) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("nginx"), [port_of(api)]) as running:
        yield running


@pytest.fixture
def client(door: Door) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=door.url, timeout=20) as opened:
        yield opened


@pytest.mark.parametrize("path", API_PATHS)
def test_api_paths_reach_the_api(client: httpx.Client, path: str) -> None:
    seen = client.get(path).json()
    assert seen["path"] == path
    assert seen["host"] == f"{client.base_url.host}:{client.base_url.port}"
    assert seen["forwarded_for"] == "127.0.0.1"


@pytest.mark.parametrize("path", ["/metrics", "/predictions", "/modelsx", "/nginx.conf", "/../nginx/default.conf"])
def test_nothing_else_does(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["status"] == 404


def test_page_is_served_and_revalidated(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.text == (ROOT / "frontend" / "index.html").read_text()
    assert page.headers["content-type"].startswith("text/html")
    again = client.get("/", headers={"if-none-match": page.headers["etag"]})
    assert again.status_code == 304
    script = client.get("/js/app.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["content-encoding"] == "gzip"
    assert script.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", "/js/app.js", "/missing", "/models", "/result/away"])
def test_security_headers_are_everywhere_and_once(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policies = headers.get_list("content-security-policy")
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'self'; img-src 'self' blob: data:;")
    assert "frame-ancestors 'none'" in policies[0]
    assert "unsafe" not in policies[0]
    assert headers.get_list("x-content-type-options") == ["nosniff"]
    assert headers.get_list("referrer-policy") == ["no-referrer"]
    assert headers.get_list("permissions-policy") == ["camera=(self), microphone=(), geolocation=()"]
    assert headers["server"] == "nginx"


def test_api_keeps_its_own_problem_and_retry_after(client: httpx.Client) -> None:
    answer = client.get("/result/away")
    assert answer.status_code == 503
    assert answer.headers.get_list("retry-after") == ["7"]
    assert answer.json() == {"title": "Not confirmed by the broker"}


def test_body_limit(client: httpx.Client) -> None:
    megabyte = 1024 * 1024
    assert client.post("/predict", content=b"x" * (10 * megabyte + 4096)).json()["bytes"] == 10 * megabyte + 4096
    refused = client.post("/predict", content=b"x" * 12 * megabyte)
    assert refused.status_code == 413
    assert refused.headers["content-type"] == PROBLEM
    assert "10 MiB" in refused.json()["detail"]
    assert client.post("/predict/batch", content=b"x" * 30 * megabyte).json()["bytes"] == 30 * megabyte


def test_events_arrive_one_by_one(client: httpx.Client) -> None:
    with client.stream("GET", "/result/abc/events") as answer:
        arrivals = [time.monotonic() for line in answer.iter_lines() if line.startswith("data:")]
    assert len(arrivals) == 3
    assert arrivals[2] - arrivals[0] > 0.8


def test_long_poll_is_waited_for(client: httpx.Client) -> None:
    assert client.get("/result/slow", params={"wait": 3}).status_code == 200


def test_posts_are_limited_and_reads_are_not(tmp_path: Path, api: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAF_POST_RATE", "1")
    monkeypatch.setenv("LEAF_POST_BURST", "5")
    with Door(tmp_path / "nginx", [port_of(api)]) as door, httpx.Client(base_url=door.url) as client:
        posts = [client.post("/predict", content=b"x") for _ in range(12)]
        reads = [client.get("/models").status_code for _ in range(60)]
    codes = [answer.status_code for answer in posts]
    assert codes[:6] == [200] * 6
    assert 429 in codes[6:]
    assert set(reads) == {200}
    refused = posts[codes.index(429)]
    assert refused.headers["content-type"] == PROBLEM
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["status"] == 429


def test_another_process_takes_over_and_both_are_used(tmp_path: Path, api: Process) -> None:
    with upstream(tmp_path, free_port()) as second:
        ports = [port_of(api), port_of(second)]
        with Door(tmp_path / "nginx", ports) as door, httpx.Client(base_url=door.url) as client:
            assert len({client.get("/models").json()["process"] for _ in range(20)}) == 2
            second.kill()
            posts = [client.post("/predict", content=b"x").status_code for _ in range(20)]
            reads = [client.get("/models").status_code for _ in range(20)]
    assert set(posts) == {200}
    assert set(reads) == {200}


def test_no_api_at_all_is_said_as_a_problem(tmp_path: Path) -> None:
    with Door(tmp_path / "nginx", [free_port()]) as door, httpx.Client(base_url=door.url) as client:
        for answer in (client.get("/models"), client.post("/predict", content=b"x")):
            assert answer.status_code == 503
            assert answer.headers["content-type"] == PROBLEM
            assert answer.headers["retry-after"] == "2"
            assert "not confirmed" in answer.json()["detail"]
        assert client.get("/").status_code == 200


def test_log_does_not_show_what_opens_a_result(tmp_path: Path, api: Process) -> None:
    with Door(tmp_path / "nginx", [port_of(api)]) as door, httpx.Client(base_url=door.url) as client:
        client.get("/result/secret-name?wait=1")
        client.get("/result/secret-name/events")
    text = (tmp_path / "nginx" / "access.log").read_text()
    assert "/result/*" in text
    assert "/result/*/events" in text
    assert "secret-name" not in text


def test_a_redirect_keeps_scheme_and_name_of_whoever_asked(client: httpx.Client) -> None:
    answer = client.get("/docs/", headers={"host": "leaf.example"})
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


def test_head_is_answered_like_get_without_a_body(client: httpx.Client) -> None:
    answer = client.head("/healthz")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/json"


def test_error_log_does_not_show_what_opens_a_result(tmp_path: Path) -> None:
    with Door(tmp_path / "nginx", [free_port()]) as door, httpx.Client(base_url=door.url) as client:
        for path in ("/result/secret-name", "/result/secret-name/events", "/batch/secret-name"):
            assert client.get(path).status_code == 503
    assert "secret-name" not in (tmp_path / "nginx" / "nginx.log").read_text()


def test_the_address_of_a_full_batch_fits(client: httpx.Client) -> None:
    answer = client.post("/predict/batch", content=b"x")
    assert answer.status_code == 207
    assert client.get(answer.headers["location"]).json()["path"] == answer.headers["location"]
