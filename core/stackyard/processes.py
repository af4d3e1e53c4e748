"""Finding and stopping processes, safe against process ids that were given out again."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackyard.errors import Unavailable

if TYPE_CHECKING:
    import psutil

MARK = "STACKYARD_SERVICE"  # in the environment of every process of a local service
GRACE = 10.0  # seconds between asking a process to end and ending it
ROUNDS = 5  # of killing and looking again


@dataclass(frozen=True)
class Started:
    """A process that was started as the leader of its session: its id and its start time."""

    name: str
    pid: int
    created: float


def start_time(pid: int) -> float:
    """Start time of a process, seconds since the epoch; 0 if it has gone already."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0


def same(started: Started) -> bool:
    """Whether the process still runs, and is not another one with its id."""
    return _process(started) is not None


def find(leaders: Sequence[Started], key: str, mark: str) -> list[psutil.Process]:
    """Every process below or in the session of a leader, or with ``key=mark`` around it."""
    import psutil

    found: dict[int, psutil.Process] = {}
    sessions: set[int] = set()
    for leader in leaders:
        process = _process(leader)
        if process is not None:
            sessions.add(process.pid)
            found[process.pid] = process
            try:
                found.update({child.pid: child for child in process.children(recursive=True)})
            except psutil.Error:
                continue  # it ended meanwhile; its children carry the mark
    for process in psutil.process_iter():
        if process.pid not in found and (
            _session(process.pid) in sessions or _value(process, key) == mark
        ):
            found[process.pid] = process
    found.pop(os.getpid(), None)
    return [p for p in found.values() if _alive(p)]


def marks(key: str) -> set[str]:
    """Every value that ``key`` has in the environment of a process of this user."""
    import psutil

    return {value for process in psutil.process_iter() if (value := _value(process, key))}


def stop(
    search: Callable[[], list[psutil.Process]], leaders: Sequence[Started], grace: float = GRACE
) -> bool:
    """Stop what ``search`` finds: ask the groups, wait, then kill until nothing is found.

    Returns:
        Whether there was anything to stop.

    Raises:
        Unavailable: a process does not end even when it is killed.
    """
    targets = search()
    if not targets:
        return False
    groups = {leader.pid for leader in leaders if same(leader)}
    for group in groups:
        _signal_group(group)
    for process in targets:
        if _group(process.pid) not in groups:
            _quietly(process.terminate)
    left = _wait(targets, grace)
    for _ in range(ROUNDS):
        for process in left:
            _quietly(process.kill)
        _wait(left, grace)
        left = search()  # also what was started while the others were being stopped
        if not left:
            return True
    names = ", ".join(str(p.pid) for p in left)
    raise Unavailable(f"could not stop processes {names}: they do not end even when killed")


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C, and SIGTERM where it is handled, wait for the end of the block.

    For what takes moments and must not stay half done: processes that were frozen to be killed
    would hold the terminal for ever.
    """
    if threading.current_thread() is not threading.main_thread():  # which signals do not interrupt
        yield
        return
    asked: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: h for n in numbers if callable(h := signal.getsignal(n))}
    try:
        for number in before:
            signal.signal(number, lambda asked_for, frame: asked.append(asked_for))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if asked:
            signal.raise_signal(asked[0])


def kill_tree(pid: int) -> None:
    """Kill the leader of a session, everything below it and everything in its session, at once.

    All are frozen before the first is killed, so that none starts another meanwhile. Local services
    that it started stay: they are meant to outlive it.
    """
    frozen: dict[int, psutil.Process] = {}
    while fresh := [p for p in _tree(pid) if p.pid not in frozen]:
        for process in fresh:
            frozen[process.pid] = process
            if process.pid != os.getpid():
                _quietly(process.suspend)
    for process in sorted(frozen.values(), key=lambda p: p.pid == os.getpid()):
        _quietly(process.kill)


def _tree(pid: int) -> list[psutil.Process]:
    import psutil

    found = {p.pid: p for p in psutil.process_iter() if _session(p.pid) == pid}
    try:
        leader = psutil.Process(pid)
        found |= {p.pid: p for p in (leader, *leader.children(recursive=True))}
    except psutil.NoSuchProcess:
        pass  # its children are not below it any more; those in its session are found
    return [p for p in found.values() if _value(p, MARK) == os.environ.get(MARK)]


def _wait(targets: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    """The processes that are left after ``seconds``; a zombie that nobody reaps has ended."""
    end = time.monotonic() + seconds
    while (targets := [p for p in targets if _alive(p)]) and time.monotonic() < end:
        time.sleep(0.02)
    return targets


def _process(started: Started) -> psutil.Process | None:
    import psutil

    try:
        process = psutil.Process(started.pid)
        # The start time is counted from the boot time, which moves when the clock is set.
        if abs(process.create_time() - started.created) < 2 and _alive(process):
            return process
    except psutil.NoSuchProcess:
        pass
    return None


def _alive(process: psutil.Process) -> bool:
    import psutil

    try:
        if process.status() != psutil.STATUS_ZOMBIE:
            return bool(process.is_running())
        if process.ppid() == os.getpid():
            process.wait(0)  # our own child: let it go
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        pass
    return False


def _value(process: psutil.Process, key: str) -> str | None:
    import psutil

    try:
        return process.environ().get(key)
    except (psutil.Error, OSError):  # another user's process, or one that has just ended
        return None


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (OSError, AttributeError):  # gone; or a system without sessions
        return -1


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except (OSError, AttributeError):
        return -1


def _signal_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGTERM)
    except (OSError, AttributeError):
        return  # it ended meanwhile; a system without groups: each is asked by itself below


def _quietly(action: Callable[[], None]) -> None:
    import psutil

    try:
        action()
    except psutil.Error:
        return  # it ended meanwhile, or it is another user's
