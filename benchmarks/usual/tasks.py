"""The Celery worker: both networks in Keras, one `predict` per photograph.

Run it as `celery -A benchmarks.usual.tasks worker --pool prefork --concurrency N`.
"""

import io
import os
from typing import Any

import numpy as np
from celery import Celery
from celery.signals import worker_process_init
from PIL import Image

from benchmarks.models import newest_models
from schemas.card import ModelCard
from schemas.labels import LABELS

app = Celery("usual", broker=os.environ["USUAL_REDIS"], backend=os.environ["USUAL_REDIS"])
app.conf.update(
    accept_content=["json"],
    result_serializer="json",
    result_expires=3600,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_proc_alive_timeout=120,  # its default of 4 s kills, again and again, what is still importing TensorFlow
)

_models: dict[str, tuple[Any, int]] = {}


@worker_process_init.connect  # type: ignore[untyped-decorator]
def load_models(**_: object) -> None:
    """Build both networks with the weights that Leafstream serves."""
    from stream_workers.engines.networks import build_network, load_weights  # noqa: PLC0415  TensorFlow belongs in the forked worker

    for directory in newest_models():
        card = ModelCard.load(directory)
        model = build_network(card.architecture, px=card.preprocessing.px)
        load_weights(model, directory)
        model.predict(np.zeros((1, card.preprocessing.px, card.preprocessing.px, 3), np.uint8), verbose=0)
        _models[card.name] = (model, card.preprocessing.px)


@app.task(name="usual.diagnose")  # type: ignore[untyped-decorator]
def diagnose(upload: bytes, name: str) -> dict[str, float | str]:
    """Decode, resize, predict."""
    model, px = _models[name]
    image = Image.open(io.BytesIO(upload)).convert("RGB").resize((px, px))
    logits = model.predict(np.asarray(image)[None], verbose=0)["logits"][0]
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = int(shares.argmax())
    return {"label": LABELS[best], "confidence": float(shares[best]), "model": name}
