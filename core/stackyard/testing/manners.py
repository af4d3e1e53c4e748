"""What the contracts of several kinds ask alike, and how a test waits."""

from __future__ import annotations

import logging
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from stackyard.components.base import Component, Context
from stackyard.errors import Unsupported

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

    before = begun()
    with unconnected():
        made = connect(inside)
        _ = made.capabilities
        look(made)
        made.close()
        made.close()
    assert list(folder.iterdir()) == []
    assert begun() <= before, "a thread or a process was started"


@contextmanager
def unconnected() -> Iterator[None]:
    """Whatever connects to something fails, and so does the test, even if the error is caught."""
    made: list[object] = []

    def connected(_: socket.socket, address: object, *given: object) -> None:
        made.append(address)
        raise AssertionError(f"a connection was made: {address}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connected)
        patch.setattr(socket.socket, "connect_ex", connected)
        yield
    assert made == [], "a connection was made"


@contextmanager
def logged() -> Iterator[StringIO]:
    """What is logged meanwhile; it may hold secrets, so pytest, which would print it, gets none."""
    said = StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(said)])
        yield said


@contextmanager
def deaf() -> Iterator[str]:
    """Host and port of what takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:  # and nobody ever accepts
        yield "{}:{}".format(*listening.getsockname())


def needs(
    component: Component, *capabilities: str, refused: Callable[[], object] | None = None
) -> None:
    """Skip where the component lacks one of these, after it refused in the contract's words.

    Args:
        component: the one under test.
        capabilities: what the test is about.
        refused: asks for what they stand for; left out where another test does.
    """
    lacking = [one for one in capabilities if one not in component.capabilities]
    if not lacking:
        return
    if refused is not None:
        with pytest.raises(Unsupported, match=lacking[0]):
            refused()
    pytest.skip(f"without the capability {', '.join(lacking)}")


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


def begun() -> set[object]:
    """What this process has started and has not ended: threads and processes."""
    return {*threading.enumerate(), *psutil.Process().children()}


@contextmanager
def saying_nothing(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    """What goes on inside prints nothing, logs nothing from a warning on, and warns of nothing."""
    caplog.set_level(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
    captured = capfd.readouterr()
    assert (captured.out, captured.err, caplog.records) == ("", "", [])


def files_in(folder: Path) -> dict[str, bytes]:
    """All files of a folder by their relative path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def held(folder: Path) -> set[object]:
    """What this process holds: what it started, connections, and open files below ``folder``."""
    me = psutil.Process()
    files = {file.path for file in me.open_files() if Path(file.path).is_relative_to(folder)}
    connections = {(found.fd, found.laddr, found.raddr) for found in me.net_connections()}
    return {*files, *connections, *begun()}
