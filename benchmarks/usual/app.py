"""The usual upload API: a coin flip per request, the photograph through Celery's broker, the result polled."""

import random

from fastapi import FastAPI, UploadFile

from benchmarks.usual.tasks import app as celery
from benchmarks.usual.tasks import diagnose

app = FastAPI()


@app.post("/predict", status_code=202)
async def predict(file: UploadFile) -> dict[str, str]:
    """Queue a photograph."""
    name = random.choice(("resnet50", "efficientnetb0"))  # noqa: S311
    return {"task_id": diagnose.delay(await file.read(), name).id}


@app.get("/result/{task_id}")
def result(task_id: str) -> dict[str, object]:
    """Poll."""
    answer = celery.AsyncResult(task_id)
    return {"status": answer.status, "result": answer.result if answer.ready() else None}
