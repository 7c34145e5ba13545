import re


async def test_the_page_runs_nothing_inline_and_asks_nobody_else(client):
    page = (await client.get("/docs")).text
    assert re.findall(r"<script[^>]*>([^<]*)</script>", page) == ["", ""]
    assert "style=" not in page
    for address in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert re.match("/[^/]", address)
        if not address.startswith("/docs/"):
            continue  # of the page's files, which nginx serves
        answer = await client.get(address)
        assert answer.status_code == 200
        assert answer.headers["content-type"].split(";")[0] in {"text/css", "text/javascript", "application/javascript"}
    assert "/openapi.json" in (await client.get("/docs/start.js")).text
