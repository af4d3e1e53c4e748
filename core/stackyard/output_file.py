"""What a process that runs one step writes to descriptors 1 and 2, kept in a file.

That holds also what a C library or another program that the step starts writes, in order. It is a
file and not a pipe to this process, so that nothing waits, nobody writes into a closed pipe, and
the last words of a process that crashes are not lost.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from stackyard.capture import HALF, Capture

PATIENCE = 1.0  # seconds for the last output; a program that the step left behind may keep it open


def written(descriptor: int, start: int) -> str:
    """What a file holds from ``start`` on, without the middle of what is too long."""
    size = os.fstat(descriptor).st_size - start
    begin = os.pread(descriptor, min(size, HALF), start)
    end = os.pread(descriptor, min(size - len(begin), HALF), start + max(len(begin), size - HALF))
    lost = size - len(begin) - len(end)
    cut = f"\n... {lost} bytes were not kept ...\n".encode() if lost else b""
    return (begin + cut + end).decode("utf-8", "replace")


def last_lines(descriptor: int, count: int = 20) -> list[str]:
    """The last lines of a file."""
    return written(descriptor, max(0, os.fstat(descriptor).st_size - HALF)).splitlines()[-count:]


class FileCapture:
    """Within it, all that this process writes is kept; descriptors 1 and 2 are one file already."""

    text = ""

    def __enter__(self) -> FileCapture:
        self._streams: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)
        for stream in self._streams:
            stream.flush()
        self._start = self._size()
        # One stream for both, so that their lines stay in order; the one that is not the answer's.
        raw = open(2, "wb", closefd=False)
        sys.stdout = sys.stderr = self._stream = io.TextIOWrapper(
            raw, "utf-8", "backslashreplace", line_buffering=True
        )
        self._handler = logging.StreamHandler(self._stream)
        self._handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(self._handler)
        return self

    def __exit__(self, *error: object) -> None:
        logging.getLogger().removeHandler(self._handler)
        sys.stdout, sys.stderr = self._streams
        for stream in (self._stream, *self._streams):
            stream.flush()
        self.text = self._read()

    def _size(self) -> int:
        return os.fstat(1).st_size

    def _read(self) -> str:
        return written(1, self._start)


class TeeCapture(FileCapture):
    """The same where the output also goes to standard error at once, as a task's log wants it.

    The file is written by the program ``tee``, which goes on if this process is killed.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f".writing-{os.urandom(8).hex()}"

    def __enter__(self) -> TeeCapture:
        self._file = self._path.open("xb+")  # a collection may remove its name meanwhile
        reading, writing = os.pipe()
        try:
            self._tee = os.posix_spawnp(
                "tee",
                ["tee", str(self._path)],
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), (os.POSIX_SPAWN_DUP2, 2, 1)],
                setpgroup=0,  # who stops the step's group does not stop its last words
            )
            sys.stdout.flush()
            sys.stderr.flush()
            self._kept = os.dup(1), os.dup(2)
            os.dup2(writing, 1)
            os.dup2(writing, 2)
        finally:
            os.close(reading)
            os.close(writing)
        super().__enter__()
        return self

    def _size(self) -> int:
        return 0

    def _read(self) -> str:
        for number, kept in enumerate(self._kept, 1):
            os.dup2(kept, number)
            os.close(kept)
        until = time.monotonic() + PATIENCE
        while os.waitpid(self._tee, os.WNOHANG)[0] == 0 and time.monotonic() < until:
            time.sleep(0.002)
        self._path.unlink(missing_ok=True)
        with self._file as file:
            return written(file.fileno(), 0)


def task_capture(folder: Path) -> Capture | FileCapture:
    """How the output of a task is kept, in a process that runs one step and ends."""
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if os.name == "posix" and any(os.access(f"{place}/tee", os.X_OK) for place in places):
        return TeeCapture(folder)
    return Capture(through=True)
