import asyncio
import hashlib
import threading

import pytest
from PIL import Image

from producer_api.errors import OverloadedError
from producer_api.uploads import admission as module
from producer_api.uploads.admission import SMALL_BYTES, Admission
from schemas.errors import ImageError
from schemas.normalisation import MAX_UPLOAD_BYTES
from schemas.topics import MAX_IMAGE_BYTES
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


@pytest.fixture
def threaded(admission, monkeypatch):
    """What was given to a thread."""
    given, submit = [], admission._pool.submit
    monkeypatch.setattr(admission._pool, "submit", lambda work, *data: given.append(data) or submit(work, *data))
    return given


async def test_what_fits_needs_no_thread(admission, jpeg, threaded):
    assert (await admission.normalise(jpeg)).jpeg == jpeg
    assert not threaded


@pytest.mark.parametrize("size", [SMALL_BYTES + 1, MAX_IMAGE_BYTES + 1, MAX_UPLOAD_BYTES])
@pytest.mark.parametrize("tiny", [b"\xff\xdb\0\2", b"\xff\xfe\0\2", b"\xff\0"])
async def test_the_event_loop_looks_at_no_byte_of_a_larger_file(admission, threaded, monkeypatch, size, tiny):
    looked = []
    monkeypatch.setattr(module, "as_is", looked.append)
    with pytest.raises(ImageError):
        await admission.normalise((b"\xff\xd8" + tiny * (size // len(tiny) + 1))[:size])
    assert len(threaded) == 1
    assert not looked


async def test_hashes_large_files_in_a_thread(admission, threaded):
    for size, threads in ((SMALL_BYTES, 0), (SMALL_BYTES + 1, 1)):
        data = bytes(size)
        assert await admission.beside(size, lambda data=data: hashlib.sha256(data).digest())
        assert len(threaded) == threads


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
