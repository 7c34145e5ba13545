"""The page of numbers, behind real nginx, on what the real sink counted and the real API says of it."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import opened
from confluent_kafka import Producer
from door import Door
from playwright.sync_api import Browser, Page, expect
from redis import Redis
from sinks import Running, eventually, hours, publish
from traffic import Traffic, card, two_arms

from ops.nginx import ROOT
from ops.ports import accepts, free_port
from ops.process import Process
from producer_api.experiments.log import ExperimentLog
from result_sink.settings import SinkSettings
from schemas.topics import PARTITIONER

pytestmark = [pytest.mark.broker, pytest.mark.browser, pytest.mark.timeout(180)]

PLANTED = {"accuracy": {"old": 0.80, "new": 0.92}, "uncertain": {"old": 0.12, "new": 0.08}}
IMAGES = 4000


@pytest.fixture
def counted(topics: str, redis_server: str) -> None:
    """An hour of photographs for two arms of which one is better, darker than in training, and a shadow."""
    experiment = two_arms(0.5)
    log = ExperimentLog(topics, 30)
    log.append(experiment)
    log.close()
    with Redis.from_url(f"redis://{redis_server}/0", decode_responses=True) as store:
        store.flushall()
        sink = Running(SinkSettings(kafka=topics, redis=redis_server, mode="real", check_seconds=0.2))
        traffic = Traffic(**PLANTED, feedback=0.5, shadow_agrees=0.9, brightness=95)
        predictions, told = traffic.events(experiment, range(IMAGES), every_ms=3_600_000 // IMAGES)
        publish(Producer({"bootstrap.servers": topics, "partitioner": PARTITIONER}), [*predictions, *told])

        def all_in() -> None:
            assert sum(n for field, n in hours(store).items() if field.startswith("feedback:")) == len(told)

        eventually(all_in, 60)
        sink.stop()


@pytest.fixture
def page(counted: None, topics: str, redis_server: str, tmp_path: Path, browser: Browser) -> Iterator[Page]:
    """The page, just opened; in the end it must have made no error and broken no policy."""
    for name in ("resnet50", "efficientnetb0"):
        (tmp_path / "models" / name / "1").mkdir(parents=True)
        (tmp_path / "models" / name / "1" / "card.json").write_text(card(name).model_dump_json())
    port = free_port()
    environment = {
        "KAFKA": topics,
        "REDIS": redis_server,
        "LEAF_VAR": str(tmp_path),
        "LEAF_API_PORT": str(port),
        "LEAF_API_MODELS_DIR": str(tmp_path / "models"),
        "LEAF_API_PUBLISH_SECONDS": "30",
        "PYTHONPATH": os.fspath(ROOT),
    }
    api = Process(
        "api",
        [sys.executable, "-m", "producer_api"],
        log=tmp_path / "api.log",
        env=environment,
        ready=lambda: accepts(port),
    )
    (tmp_path / "nginx").mkdir()
    size = {"width": 1100, "height": 1400}
    with (
        api,
        Door(tmp_path / "nginx", [port]) as door,
        opened(browser, f"{door.url}/analytics.html", viewport=size) as (page, errors),
    ):
        yield page
        assert errors == []


def test_it_says_which_arm_is_better_and_draws_the_numbers(page: Page) -> None:
    expect(page.get_by_test_id("verdict")).to_have_text("new is better than old. ", timeout=60_000)
    expect(page.get_by_test_id("trouble")).to_be_hidden()
    expect(page.get_by_test_id("totals")).to_contain_text("4,000 photographs")

    arms = page.get_by_test_id("arms").locator("tbody tr")
    expect(arms).to_have_count(2)
    expect(arms.first).to_contain_text("resnet50@1")
    assert sum(int(row.locator("td").nth(2).inner_text().replace(",", "")) for row in arms.all()) == IMAGES

    drawn = page.get_by_test_id("comparisons").locator("svg")
    assert re.match(r"accuracy \+1\d\.\d points", drawn.get_attribute("aria-label") or "")
    assert drawn.locator(".span-always").count() == drawn.locator(".span-once").count() == 4
    expect(page.get_by_test_id("shadows")).to_contain_text("shadow")
    expect(page.get_by_test_id("drift").locator("tr", has_text="brightness")).to_contain_text("differs much")

    series = page.get_by_test_id("series")
    for metric, name in [("latency", "p95"), ("label", "late_blight"), ("accuracy", "accuracy"), ("images", "images")]:
        page.get_by_test_id("metric").select_option(metric)
        expect(series.locator(".legend")).to_contain_text(name)
        assert series.locator(".trace").first.get_attribute("points").count(",") > 50
    page.get_by_test_id("by").select_option("arm")
    expect(series.locator(".legend li")).to_have_count(3)
    expect(series.locator(".legend")).to_contain_text("x@1 new")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
