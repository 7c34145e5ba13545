"""A photograph goes in, a diagnosis comes out."""

import json
import time

import httpx
import pytest

from schemas.labels import LABELS

pytestmark = [pytest.mark.broker, pytest.mark.slow, pytest.mark.timeout(180)]


def test_an_upload_has_its_diagnosis_within_two_seconds(stack, late_blight):
    stack.result(stack.upload(late_blight)["task_id"])  # the first pays for warming up
    started = time.monotonic()
    task = stack.upload(late_blight)
    result = stack.result(task["task_id"])
    assert time.monotonic() - started < 2
    assert result["status"] == "done"
    assert result["label"] in LABELS
    assert 0 < result["confidence"] <= 1
    assert result["model"] in {"resnet50", "efficientnetb0"}
    assert result["version"]
    assert [top["probability"] for top in result["top3"]] == sorted(
        (t["probability"] for t in result["top3"]), reverse=True
    )
    assert len(result["top3"]) == 3
    assert result["experiment"] == "default"
    assert result["queued_at"] <= result["done_at"]


def test_both_models_answer(stack, leaves):
    photographs = sorted((leaves / "samples").glob("*/*.jpg"))[:24]
    tasks = [stack.upload(photograph)["task_id"] for photograph in photographs]
    assert {stack.result(task)["model"] for task in tasks} == {"resnet50", "efficientnetb0"}


def test_uploaded_through_one_process_polled_and_streamed_through_the_other(stack, late_blight):
    first, second = stack.apis()
    answer = httpx.post(f"http://{first}/predict", files={"file": late_blight.read_bytes()}, timeout=15)
    assert answer.status_code == 202
    task_id = answer.json()["task_id"]
    told = []
    with httpx.stream("GET", f"http://{second}/result/{task_id}/events", timeout=30) as events:
        told = [json.loads(line.removeprefix("data: ")) for line in events.iter_lines() if line.startswith("data: ")]
    assert told[-1]["status"] == "done"
    assert stack.result(task_id, url=f"http://{second}") == told[-1]


def test_a_wrong_file_is_refused_with_what_to_do(stack):
    answer = httpx.post(f"{stack.url}/predict", files={"file": b"%PDF-1.7 no photograph"}, timeout=15)
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["remedy"]


def test_metrics_are_not_for_users(stack):
    assert httpx.get(f"{stack.url}/metrics", timeout=15).status_code == 404
