import asyncio
import json
import threading

import pytest
from pydantic import BaseModel

from producer_api.analytics.answers import Answers
from schemas.errors import StoreUnavailableError


class Number(BaseModel):
    number: int


@pytest.fixture
def answers():
    made = Answers()
    yield made
    made.stop()


async def test_who_asks_together_shares_an_answer_that_was_computed_after_all_asked(answers):
    began, held, computed = threading.Event(), threading.Event(), []

    def compute():
        began.set()
        held.wait()
        computed.append(threading.current_thread())
        return Number(number=len(computed))

    first = asyncio.create_task(answers.json("q", compute))
    await asyncio.sleep(0)
    await asyncio.to_thread(began.wait)
    later = [asyncio.create_task(answers.json("q", compute)) for _ in range(30)]
    other = asyncio.create_task(answers.json("another", compute))
    await asyncio.sleep(0)
    held.set()
    bodies = [json.loads(answer.body)["number"] for answer in await asyncio.gather(first, *later, other)]
    assert bodies == [1, *[2] * 30, 3]
    assert len(set(computed)) == 1


async def test_who_stops_waiting_takes_nothing_from_the_others(answers):
    held = threading.Event()
    busy = asyncio.create_task(answers.run(held.wait))
    one, other = (asyncio.create_task(answers.json("q", lambda: Number(number=1))) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    held.set()
    assert (await other).body == b'{"number":1}'
    await busy


async def test_each_gets_a_failure_of_its_own(answers):
    held = threading.Event()

    def compute():
        held.wait()
        msg = "away"
        raise StoreUnavailableError(msg, "wait")

    busy = asyncio.create_task(answers.run(held.wait))
    asked = [asyncio.create_task(answers.json("q", compute)) for _ in range(3)]
    await asyncio.sleep(0)
    held.set()
    failures = await asyncio.gather(*asked, return_exceptions=True)
    await busy
    assert [(type(failure), str(failure), failure.remedy) for failure in failures] == [
        (StoreUnavailableError, "away", "wait")
    ] * 3
    assert len(set(map(id, failures))) == 3
