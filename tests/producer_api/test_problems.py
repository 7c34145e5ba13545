import pytest
from aiokafka.errors import KafkaStorageError
from httpx import ASGITransport, AsyncClient


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/predict", 405), ("GET", "/predict", 405)]
)
async def test_what_the_framework_refuses_is_a_problem_document_too(client, method, path, status):
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().keys() == {"type", "title", "status", "detail", "remedy"}
    assert all(answer.json().values())
    assert status != 405 or answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/experiments/x", "GET, PUT"), ("/predict", "POST"), ("/result/x", "GET"), ("/docs", "GET"), ("/healthz", "GET")],
)
async def test_allow_names_every_method_of_an_address(client, path, methods):
    answer = await client.delete(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == methods


@pytest.mark.parametrize(
    "body", [b'{"label": "healthy", "note": "\xff"}', b"\xff", b"{", b"", b"[" * 50_000, '"healthy"'.encode("utf-16")]
)
async def test_a_body_that_is_no_json_in_utf_8_is_malformed(client, ids, body):
    headers = {"Content-Type": "application/json"}
    answer = await client.post(f"/result/{ids.new()}/feedback", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:leaf:problem:request"
    assert answer.json()["remedy"]


async def long_body():
    for _ in range(20):
        yield b"[" * 10_000


@pytest.mark.parametrize("content", [lambda: b"[" * 200_000, long_body])
@pytest.mark.parametrize(("method", "path"), [("POST", "/result/x/feedback"), ("PUT", "/experiments/x")])
async def test_a_body_that_is_too_long_is_not_parsed(client, method, path, content):
    answer = await client.request(method, path, content=content(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["remedy"]


async def test_an_error_of_kafka_that_nobody_foresaw_is_not_confirmed(client, services, monkeypatch):
    def refuse(_text):
        raise KafkaStorageError

    monkeypatch.setattr(services.task_ids, "read", refuse)
    answer = await client.get("/result/x")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "not confirmed" in answer.json()["detail"]


async def test_a_mistake_of_ours_says_nothing_of_itself(app, services, monkeypatch):
    monkeypatch.setattr(services.task_ids, "read", lambda _text: 1 / 0)
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://api") as client:
        answer = await client.get("/result/x")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "ZeroDivision" not in answer.text
