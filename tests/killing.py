"""A process that is killed at a moment of its work on files."""

from __future__ import annotations

import signal
import subprocess
import sys

KILL = """
import os, sys
times, at = 0, {at!r}
def count(event, args):
    global times, at
    changes = event in ("os.rename", "os.mkdir", "os.remove", "os.link", "os.chmod")
    if changes or (event == "open" and args[2] & os.O_CREAT):
        times += 1
        if times == at if isinstance(at, int) else str(args[0]).endswith(at):
            at = 0  # count no more
            if event == "open" and args[2] & os.O_TRUNC:
                os.close(os.open(args[0], args[2]))  # it is empty, and nothing is written yet
            os.kill(os.getpid(), 9)
sys.addaudithook(count)
"""


def killed(code: str, *words: str, at: int | str) -> int | None:
    """Kill ``code`` when it changes files for the ``at``-th time, or a file that ends with ``at``.

    Returns the number of times if it ended before that.
    """
    kill = KILL.format(at=at) + code + "\nprint(times)"
    done = subprocess.run(
        [sys.executable, "-c", kill, *words], input="go", capture_output=True, text=True
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return int(done.stdout.split()[-1]) if done.returncode == 0 else None
