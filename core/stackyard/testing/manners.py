"""What the contracts of several kinds ask alike, and how a test waits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from stackyard.components.base import Component, Context

C = TypeVar("C", bound=Component)
T = TypeVar("T")
R = TypeVar("R")


def silent_until_used(
    connect: Callable[[Context], C],
    context: Context,
    folder: Path,
    look: Callable[[C], object] = lambda made: None,
) -> None:
    """Check that making, looking at and closing a component writes, connects, starts nothing.

    Args:
        connect: makes the component.
        context: its context, but for the folders, which lie in ``folder``.
        folder: does not exist yet.
        look: what else has to be silent.
    """
    folder.mkdir()
    inside = replace(
        context, project=folder, cache_dir=folder / "cache", state_dir=folder / "state"
    )

    def connected(*args: object) -> None:
        raise AssertionError("a connection was made")

    threads = set(threading.enumerate())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connected)
        patch.setattr(socket.socket, "connect_ex", connected)
        made = connect(inside)
        _ = made.capabilities
        look(made)
        made.close()
        made.close()
    assert list(folder.iterdir()) == []
    assert set(threading.enumerate()) <= threads, "a thread was started"


def side_by_side(work: Callable[[T], R], given: Iterable[T]) -> list[R]:
    """What ``work`` returns for each, begun at the same moment in threads of their own.

    Raises:
        Exception: what ``work`` raised for the first of which it did.
    """
    every = list(given)
    gate = threading.Barrier(len(every))

    def begin(one: T) -> R:
        gate.wait(60)
        return work(one)

    with ThreadPoolExecutor(len(every)) as threads:
        return list(threads.map(begin, every))


def until(look: Callable[[], T], seconds: float = 60.0) -> T:
    """The first true answer of ``look``.

    Raises:
        AssertionError: there was none within ``seconds``.
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"not within {seconds:g} s"
        time.sleep(0.02)
    return found
