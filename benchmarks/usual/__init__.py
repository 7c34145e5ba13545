"""The usual design, as the baseline: FastAPI, Celery and Redis, `model.predict` one photograph at a time."""
