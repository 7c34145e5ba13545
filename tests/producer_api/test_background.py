"""A task that outlives its own mistakes."""

import asyncio

from producer_api import background
from producer_api.background import Background


class Stumbling(Background):
    """Fails the first time."""

    def __init__(self) -> None:
        self.runs = 0
        self.well = asyncio.Event()

    async def _run(self) -> None:
        self.runs += 1
        if self.runs == 1:
            raise ZeroDivisionError
        self.well.set()
        await asyncio.Event().wait()


async def test_begins_anew_after_what_it_did_not_foresee_and_says_so(monkeypatch, caplog) -> None:
    monkeypatch.setattr(background, "PAUSE_SECONDS", 0)
    task = Stumbling()
    task.start()
    await asyncio.wait_for(task.well.wait(), 5)
    await asyncio.wait_for(task.stop(), 5)
    assert task.runs == 2
    assert "Stumbling begins anew" in caplog.text
    assert "ZeroDivisionError" in caplog.text


async def test_stops_while_it_pauses(monkeypatch) -> None:
    monkeypatch.setattr(background, "PAUSE_SECONDS", 3600)
    task = Stumbling()
    task.start()
    await asyncio.sleep(0.01)
    await asyncio.wait_for(task.stop(), 5)
    assert task.runs == 1
