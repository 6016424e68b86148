"""The identity of a process: a process that ended, one that lives elsewhere, and one with a reused id."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from traffic_assets.liveness.process import Process, has_ended, this_process
from traffic_assets_tests.processes import Processes

HERE = this_process()
ELSEWHERE = {
    "host": replace(HERE, host="elsewhere"),
    "boot": replace(HERE, boot="another-boot"),
    "container": replace(HERE, namespace="pid:[1]"),
    "no Linux": Process(HERE.host, HERE.pid),
}
"""This process, as it would be known if it were somewhere else."""


def test_this_process_lives() -> None:
    assert has_ended(HERE) is False


@pytest.mark.parametrize("difference", list(ELSEWHERE))
def test_a_process_elsewhere_cannot_be_seen(difference: str) -> None:
    assert has_ended(ELSEWHERE[difference]) is None


def test_a_process_with_the_same_id_and_another_start_is_another_one() -> None:
    assert HERE.start is not None
    assert has_ended(replace(HERE, start=HERE.start - 1)) is True


def test_the_identity_survives_json() -> None:
    assert Process.from_dict({**HERE.to_dict(), "later": "value"}) == HERE


def test_a_stopped_process_lives_and_a_killed_one_has_ended_before_its_parent_notices(processes: Processes) -> None:
    program = (
        "from traffic_assets.liveness.process import this_process\n"
        "import json, sys\n"
        "print(json.dumps(this_process().to_dict()), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with processes.start([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        known = Process.from_dict(json.loads(child.stdout.readline()))
        assert has_ended(known) is False
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED)
        assert has_ended(known) is False
        child.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
        assert has_ended(known) is True
        child.wait()
        assert has_ended(known) is True
