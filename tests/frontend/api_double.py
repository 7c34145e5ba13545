"""A double of the API for the page: the uploaded file's name says what is to happen to it.

`GET /seen` lists the uploads; it is not reachable through nginx.
"""

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from examples import answer, prediction
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from schemas.labels import LABELS
from schemas.prediction import Failure, Heatmap
from schemas.result import Result

HEAT = Heatmap(
    width=7, height=7, values=[max(0, 255 - 22 * ((x - 4) ** 2 + (y - 3) ** 2)) for y in range(7) for x in range(7)]
)
DELAYS = {"slow": 60.0, "busy": 0.2}
seen: list[dict[str, Any]] = []
attempts: Counter[str] = Counter()
due: dict[str, float] = {}
feedback: list[dict[str, Any]] = []


def problem(status: int, title: str, headers: dict[str, str] | None = None) -> Response:
    body = {"type": "about:blank", "title": title, "status": status, "detail": f"{title} because", "remedy": "Do this."}
    return JSONResponse(body, status, headers, "application/problem+json")


def probabilities(label: str, share: float) -> list[float]:
    rest = (1 - share) / (len(LABELS) - 1)
    return [share if name == label else rest for name in LABELS]


def finished(task_id: str) -> Result:
    stem = task_id.partition("-")[0]
    base = prediction().model_copy(update={"image_id": task_id})
    done_at = base.source.timestamp_ms + 840
    if stem == "failed":
        failure = Failure(kind="unprocessable", error="the picture could not be decoded")
        return Result.of(base.model_copy(update={"answer": None, "failure": failure}), done_at)
    verdict = stem if stem in {"uncertain", "not_tomato_leaf"} else "diagnosed"
    label = stem if stem in LABELS else "early_blight"
    share = 0.37 if verdict == "uncertain" else 0.86
    said = answer(
        verdict=verdict, label=label, confidence=share, probabilities=probabilities(label, share), heatmap=HEAT
    )
    return Result.of(base.model_copy(update={"answer": said}), done_at)


def view(task_id: str) -> Result:
    return finished(task_id) if time.monotonic() >= due[task_id] else Result(task_id=task_id, status="queued")


async def predict(request: Request) -> Response:
    body = await request.body()
    found = re.search(rb'filename="([^"]+)"', body)
    assert found
    name = found.group(1).decode()
    stem, key = name.partition(".")[0].partition("-")[0], request.headers["idempotency-key"]
    seen.append({"name": name, "key": key, "uploader": request.headers["x-uploader"], "bytes": len(body)})
    attempts[key] += 1
    if stem == "busy" and attempts[key] < 3:
        return problem(503, "Busy just now", {"retry-after": "1"})
    if stem == "limited" and attempts[key] < 2:
        return problem(429, "Too many uploads at once", {"retry-after": "1"})
    if stem == "refused":
        return problem(415, "Not an accepted image")
    task_id = f"{stem}-{key[:8]}"
    due.setdefault(task_id, time.monotonic() + DELAYS.get(stem, 0.8))
    return JSONResponse({"task_id": task_id, "status_url": f"/result/{task_id}"}, 202)


async def result(request: Request) -> Response:
    task_id = request.path_params["task"]
    if task_id not in due:
        return problem(404, "There is no such task")
    wait = float(request.query_params.get("wait", 0))
    await asyncio.sleep(min(wait, max(0, due[task_id] - time.monotonic())))
    return Response(view(task_id).model_dump_json(), media_type="application/json")


async def events(request: Request) -> Response:
    task_id = request.path_params["task"]
    if task_id.startswith("deaf"):
        return problem(503, "Results can't be read just now")

    async def stream() -> AsyncIterator[str]:
        yield f"event: queued\ndata: {json.dumps({'task_id': task_id, 'status': 'queued'})}\n\n"
        await asyncio.sleep(max(0, due[task_id] - time.monotonic()))
        found = view(task_id)
        yield f"event: {found.status}\ndata: {found.model_dump_json()}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def correct(request: Request) -> Response:
    feedback.append(await request.json())
    return JSONResponse({"task_id": request.path_params["task"], "label": feedback[-1]["label"]}, 202)


async def history(request: Request) -> Response:
    return JSONResponse({"uploads": seen, "feedback": feedback})


app = Starlette(
    routes=[
        Route("/predict", predict, methods=["POST"]),
        Route("/result/{task}", result),
        Route("/result/{task}/events", events),
        Route("/result/{task}/feedback", correct, methods=["POST"]),
        Route("/seen", history),
    ]
)
