async def test_lives_and_is_ready(client):
    assert (await client.get("/healthz")).text == "ok"
    assert (await client.get("/readyz")).json() == {"uploads": True, "results": True}


async def test_is_not_ready_before_the_broker_was_reached(client, acceptance):
    acceptance.connected = False
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


async def test_tells_prometheus(client):
    await client.get("/nothing")
    told = (await client.get("/metrics")).text
    assert 'leaf_api_problems_total{kind="blank"}' in told
    assert "leaf_api_lag_photographs" in told
