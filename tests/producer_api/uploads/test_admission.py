import asyncio
import threading

import pytest
from PIL import Image

from producer_api.errors import OverloadedError
from producer_api.uploads import admission as module
from producer_api.uploads.admission import Admission
from tests.producer_api.conftest import encoded


@pytest.fixture
def admission():
    made = Admission(1000, 2)
    yield made
    made.stop()


def test_memory_comes_back_also_after_an_error(admission):
    with pytest.raises(ZeroDivisionError), admission.reserve(1000):
        _ = 1 / 0
    with admission.reserve(1000), pytest.raises(OverloadedError), admission.reserve(1):
        pass


async def test_what_fits_needs_no_thread(admission, jpeg, monkeypatch):
    monkeypatch.setattr(module, "normalise", None)
    assert (await admission.normalise(jpeg)).jpeg == jpeg


async def test_never_decodes_more_at_once_than_there_are_threads(admission, monkeypatch):
    running, most, lock = 0, 0, threading.Lock()

    def slow(data):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1

    monkeypatch.setattr(module, "normalise", slow)
    large = encoded(Image.new("RGB", (600, 600)))
    await asyncio.gather(*(admission.normalise(large) for _ in range(10)))
    assert most == 2
