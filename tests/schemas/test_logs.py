import logging

from schemas.logs import Throttle, configure


def record(name="aiokafka.conn", message="away %s", level=logging.WARNING):
    return logging.LogRecord(name, level, __file__, 1, message, ("x",), None)


def test_a_client_library_says_the_same_once_and_then_how_often(monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    throttle = Throttle(seconds=5)
    assert [throttle.filter(record()) for _ in range(4)] == [True, False, False, False]
    now = 105.0
    last = record("aiokafka.consumer")
    assert throttle.filter(last)
    assert last.getMessage() == "away x (and 3 more)"


def test_what_is_worse_passes_and_what_is_not_does_not():
    throttle = Throttle()
    levels = [logging.WARNING, logging.ERROR, logging.WARNING, logging.ERROR, logging.CRITICAL]
    assert [throttle.filter(record(level=level)) for level in levels] == [True, True, False, False, True]


def test_other_libraries_and_our_own_records_pass():
    throttle = Throttle()
    assert throttle.filter(record())
    assert throttle.filter(record("librdkafka"))
    assert all(throttle.filter(record("producer_api.app")) for _ in range(3))


def test_a_level_holds_for_the_client_libraries_too(capsys):
    root = logging.getLogger()
    before, handlers = root.level, root.handlers[:]
    try:
        configure("ERROR")
        logging.getLogger("aiokafka.conn").warning("away")
        logging.getLogger("aiokafka.conn").error("gone")
        assert "away" not in capsys.readouterr().err
        configure("DEBUG")
        assert logging.getLogger("aiokafka").level == logging.WARNING
    finally:
        root.handlers[:] = handlers
        root.setLevel(before)
