import logging

from producer_api.outage import Outage


def test_says_it_once_each_time(caplog):
    outage = Outage(logging.getLogger("test"), "counting")
    outage.ended()
    for _ in range(2):
        for _ in range(3):
            outage.began("no fingers")
        for _ in range(3):
            outage.ended()
    assert caplog.messages == ["counting: not just now (no fingers)", "counting: works again"] * 2
