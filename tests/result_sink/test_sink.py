"""Promise 3 against a real broker and a real Redis, clause by clause."""

import pytest
from sinks import eventually, hours, made, publish, results

pytestmark = pytest.mark.broker


def test_applies(start, producer, store):
    start()
    publish(producer, [made(number) for number in range(30)])

    def applied():
        assert len(results(store)) == 30
        assert hours(store)["images"] == 30

    eventually(applied)
    print(store.hgetall("leaf:result:image-0000000000000003"))
    print(hours(store))
    for key in store.scan_iter("*"):
        print(key, store.type(key), store.ttl(key))
