"""/docs: Swagger UI from an installed wheel, started without inline script."""

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Leafstream API</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</html>
"""
_START: Final = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true});\n'


@router.get("/docs")
async def page() -> HTMLResponse:
    """The page."""
    return HTMLResponse(_PAGE)


@router.get("/docs/start.js")
async def start() -> Response:
    """What the page runs once Swagger UI is there."""
    return Response(_START, media_type="text/javascript")


def install(app: FastAPI) -> None:
    """Serve the page and the assets it needs."""
    app.include_router(router)
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")))
