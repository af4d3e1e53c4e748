"""A step that is asked to end ends, also one that Python cannot interrupt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from tests.e2e.background import lives, until

PROGRAM = """
import signal, sys
from collections import deque
from functools import partial
from itertools import chain, repeat
from stackyard.guard import final_sigterm
final_sigterm({grace})
signal.signal(signal.SIGTERM, lambda *_: sys.exit("asked"))
print("ready", flush=True)
{work}
"""
# For ever inside one call into C, holding Python's lock: no signal handler runs.
STUCK = "deque(chain(map(partial(print, flush=True), ['stuck']), repeat(None)), maxlen=0)"


def _start(work: str, grace: float) -> subprocess.Popen[bytes]:
    code = PROGRAM.format(work=work, grace=grace)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def _group(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    def same(pid: int) -> bool:
        try:
            return os.getpgid(pid) == process.pid and lives(pid)
        except ProcessLookupError:
            return False

    return [p for p in psutil.process_iter() if same(p.pid)]


def _until_gone(process: subprocess.Popen[bytes]) -> None:
    until(lambda: not _group(process))


def test_a_process_stuck_in_native_code_is_killed_after_the_grace() -> None:
    process = _start(STUCK, 0.5)
    assert process.stdout is not None
    assert process.stdout.readline() == b"stuck\n"
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(60) == -signal.SIGKILL
    _until_gone(process)


def test_a_process_that_listens_ends_by_its_own_handler() -> None:
    process = _start("import time; time.sleep(60)", 50)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(60) == 1  # its handler's exit code
    _until_gone(process)


def test_the_guard_ends_with_what_it_guards_and_holds_no_output() -> None:
    for work in ("pass", "import os; os._exit(3)", "import os; os.kill(os.getpid(), 9)"):
        process = _start(work, 30)
        assert process.stdout is not None
        assert process.stdout.read() == b""  # the end of the output comes at once
        process.wait(60)
        _until_gone(process)
