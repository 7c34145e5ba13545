import pytest

from producer_api.app import create_app
from producer_api.settings import ApiSettings

HALVES = [
    {"name": "old", "model": "resnet50", "version": "1", "weight": 0.5},
    {"name": "new", "model": "efficientnetb0", "version": "1", "weight": 0.5},
]


@pytest.mark.broker
async def test_reading_is_open_and_changing_needs_the_key(api, admin):
    assert (await api.get("/experiments")).json() == {"experiments": []}
    assert (await api.get("/experiments/x")).status_code == 404
    for headers, reason in [
        ({}, "missing"),
        ({"Authorization": "Bearer wrong"}, "not the right one"),
        ({"Authorization": "Bearer é".encode()}, "not the right one"),
        ({"Authorization": f"Basic {admin['Authorization'].split()[1]}"}, "missing"),
    ]:
        refused = await api.put("/experiments/x", json={"arms": HALVES}, headers=headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
        assert reason in refused.json()["detail"]
    assert (await api.get("/experiments")).json() == {"experiments": []}

    put = await api.put("/experiments/x", json={"arms": HALVES}, headers=admin)
    assert put.status_code == 200
    assert (await api.get("/experiments/x")).json() == put.json()
    assert (await api.get("/experiments")).json() == {"experiments": [put.json()]}
    assert put.json()["state"] == "running"


@pytest.mark.broker
async def test_a_bad_definition_is_refused_with_the_reason(api, admin):
    for body, status, reason in [
        ({"arms": [HALVES[0]]}, 422, "weights must sum to 1"),
        ({"arms": [HALVES[0] | {"weight": 1, "version": "7"}]}, 422, "no model resnet50@7"),
        ({"arms": [HALVES[0] | {"weight": -1}]}, 422, "weight"),
        ({"arms": HALVES, "weights": [1]}, 422, "weights"),
        ({"status": "stopped"}, 409, "x is not running"),
        ({}, 422, "needs its arms"),
    ]:
        refused = await api.put("/experiments/x", json=body, headers=admin)
        assert refused.status_code == status
        assert reason in refused.json()["detail"]
    assert (await api.get("/experiments")).json() == {"experiments": []}


@pytest.mark.broker
async def test_a_second_experiment_is_refused(api, admin):
    await api.put("/experiments/x", json={"arms": HALVES}, headers=admin)
    refused = await api.put("/experiments/y", json={"arms": HALVES}, headers=admin)
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:leaf:problem:conflict"
    assert (await api.put("/experiments/UPPER", json={"arms": HALVES}, headers=admin)).status_code == 422


@pytest.mark.broker
async def test_without_a_key_changing_is_closed(topics, admin, serve):
    async with serve(kafka=topics, admin_key=None) as client:
        refused = await client.put("/experiments/x", json={"arms": HALVES}, headers=admin)
        assert refused.status_code == 403
        assert "LEAF_API_ADMIN_KEY" in refused.json()["remedy"]


async def test_with_the_broker_away_it_says_so(serve):
    async with serve(kafka="127.0.0.1:1", publish_seconds=0.3) as client:
        answer = await client.get("/experiments")
        assert (answer.status_code, answer.json()["title"]) == (503, "Not confirmed by the broker")


def test_the_api_includes_them():
    paths = create_app(ApiSettings()).openapi()["paths"]
    assert {method for path in ("/experiments", "/experiments/{name}") for method in paths[path]} == {"get", "put"}
