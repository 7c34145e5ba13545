"""The analytics addresses without Kafka and Redis: which range they read."""

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from traffic import two_arms

from producer_api import problems
from producer_api.analytics import endpoints, window
from producer_api.analytics.answers import Answers
from producer_api.analytics.counts import Totals
from producer_api.experiments.register import Register
from producer_api.settings import ApiSettings
from producer_api.uploads.backlog import Backlog
from schemas.timeline import Timeline
from tests.producer_api.conftest import ADMIN_KEY, until

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Nothing:
    """A store that counts nothing, and the ranges that were asked for."""

    def __init__(self):
        self.windows = []

    def sum(self, asked, scopes):
        self.windows.append(asked)
        return {scope: Counter() for scope in scopes}

    def each(self, asked, scopes):
        return {scope: [Counter()] * asked.length for scope in scopes}

    def totals(self):
        return Totals(lost=0, duplicates=0, malformed=0, complete_since=None)


@pytest.fixture
def counters():
    return Nothing()


@pytest.fixture
def answers():
    made = Answers()
    yield made
    made.stop()


@pytest.fixture
async def serve(counters, answers, tmp_path):
    """Makes a client of these addresses, on a timeline and with settings."""

    def served(*experiments, **settings):
        log = SimpleNamespace(known=lambda: Timeline(experiments))
        app = FastAPI()
        problems.install(app)
        app.include_router(endpoints.router)
        app.state.services = SimpleNamespace(
            settings=ApiSettings(models_dir=tmp_path, **settings),
            experiments=Register(log, tmp_path),
            counters=counters,
            answers=answers,
            backpressure=SimpleNamespace(backlog=Backlog(0, {})),
        )
        return AsyncClient(transport=ASGITransport(app), base_url="http://api")

    return served


@pytest.fixture
def at(monkeypatch):
    """Stops the clock of what reads ranges."""

    def stopped(moment):
        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return moment

        for module in (endpoints, window):
            monkeypatch.setattr(module, "datetime", Clock)

    return stopped


@pytest.mark.parametrize("before", [timedelta(0), timedelta(milliseconds=1), timedelta(milliseconds=999)])
async def test_an_experiment_that_was_just_started_has_a_report_also_as_the_hour_ends(serve, at, before):
    started = two_arms(since_ms=int((NOON - before).timestamp() * 1000) + 1000)
    at(NOON - before)
    answer = await serve(started).get("/analytics/experiments/x")
    assert (answer.status_code, answer.json()["images"]) == (200, 0)


@pytest.mark.parametrize(("kept", "hours"), [(0.5, 13), (30, 721), (90, 1500)])
async def test_the_overview_is_of_all_that_the_sink_keeps(serve, counters, kept, hours):
    assert (await serve(retention_days=kept).get("/analytics")).status_code == 200
    assert counters.windows[0].length == hours


async def test_an_older_experiment_is_reported_as_far_back_as_the_sink_keeps(serve, counters, monkeypatch):
    monkeypatch.setenv("LEAF_SINK_RETENTION_DAYS", "60")
    answer = await serve(two_arms(since_ms=0)).get("/analytics/experiments/x")
    assert datetime.now(UTC) - datetime.fromisoformat(answer.json()["window"]["from"]) > timedelta(days=60)


async def test_cameras_and_arms_told_apart_are_fewer_in_a_long_range(serve, counters):
    counters.cameras = lambda _since, most: [f"camera-{number}" for number in range(most)]
    begin = (datetime.now(UTC) - timedelta(days=25)).isoformat()
    asked = {"metric": "images", "by": "camera"}
    client = serve()
    week = (await client.get("/analytics/series", params=asked)).json()
    month = (await client.get("/analytics/series", params=asked | {"from": begin})).json()
    assert (len(week["lines"]), week["omitted"]) == (30, 0)
    assert len(month["lines"]) + month["omitted"] == 30
    assert 6000 - 601 < len(month["lines"]) * len(month["times"]) <= 6000


async def test_who_has_the_key_and_who_has_not_share_no_answer(serve, counters, answers, monkeypatch):
    counters.cameras = lambda _since, _most: ["north", "south"]
    client, key = serve(admin_key=ADMIN_KEY), {"Authorization": f"Bearer {ADMIN_KEY}"}
    turn, asked, share = threading.Event(), [], answers.json
    answers.prepare(turn.wait)
    monkeypatch.setattr(answers, "json", lambda question, compute: asked.append(question) or share(question, compute))
    query = {"metric": "images", "by": "camera"}
    found = [
        asyncio.create_task(client.get("/analytics/series", params=query, headers=headers)) for headers in (key, {})
    ]
    await until(lambda: len(asked) == 2)
    turn.set()
    names = [[line["name"] for line in (await each).json()["lines"]] for each in found]
    assert names == [["north", "south"], ["camera 1", "camera 2"]]


async def test_the_backlog_at_the_first_day_of_the_calendar_is_none(serve):
    range_ = {"from": "0001-01-01T00:00:00Z", "to": "0001-01-01T03:00:00Z"}
    answer = await serve().get("/analytics/series", params={"metric": "backlog"} | range_)
    assert (answer.status_code, answer.json()["lines"][0]["values"]) == (200, [0, 0, 0])
