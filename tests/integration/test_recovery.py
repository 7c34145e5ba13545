"""Kill -9 any one service: the next upload works, and what was accepted meanwhile gets its result."""

import os
import signal

import pytest

pytestmark = [pytest.mark.broker, pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.mark.parametrize("service", ["worker", "sink", "api", "kafka", "redis"])
def test_a_killed_service_comes_back_and_nothing_is_lost(stack, late_blight, service):
    accepted = [stack.upload(late_blight)["task_id"] for _ in range(3)]
    victim = next(pid for name, pid in stack.running["pids"].items() if name.startswith(service))
    os.kill(victim, signal.SIGKILL)
    accepted += [stack.upload(late_blight)["task_id"] for _ in range(3)]
    assert all(stack.result(task)["status"] == "done" for task in accepted)
