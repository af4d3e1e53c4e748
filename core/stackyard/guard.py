"""Makes a request to end final, also for a process that is busy in native code."""

from __future__ import annotations

import os
import select
import signal
import sys

GRACE = 10.0  # seconds between SIGTERM and SIGKILL


def final_sigterm(grace: float = GRACE) -> None:
    """From now on SIGTERM to this process's group ends this process within ``grace`` seconds.

    Python runs a signal handler only between two of its own instructions, so that a step which
    computes in C for an hour would go on for an hour, and orchestrators such as Airflow ask once
    and never look again. A small child in the same group gets the same signal, waits, and kills its
    parent; it ends by itself as soon as the parent has ended. Call this before threads are started.
    """
    if sys.platform == "win32":
        return
    reading, writing = os.pipe()  # reaches its end when this process has ended, however it did
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until the child heeds it
    if os.fork():
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(reading)
        return
    try:
        os.close(writing)
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # nobody may wait for the child's end of the output
            os.dup2(null, stream)
        asked, note = os.pipe()
        os.set_blocking(note, False)
        signal.set_wakeup_fd(note, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, lambda signum, frame: None)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ready, _, _ = select.select([reading, asked], [], [])
        if reading not in ready and not select.select([reading], [], [], grace)[0]:
            os.kill(parent, signal.SIGKILL)
    finally:
        os._exit(0)
