"""Local services of a stack: started once, found again after a crash, stopped for sure.

Each service of a project has a state file ``.stackyard/services/<name>.json`` with the process id
and the start time of every command, written before anybody waits for readiness, so that a later
process finds what an earlier one started, however that one ended. Every process of a service also
carries ``STACKYARD_SERVICE=<project>/<name>`` in its environment; stopping sweeps for that mark
until nothing is left.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

from stackyard.components.base import Command, Service, redact
from stackyard.errors import Unavailable, UsageError
from stackyard.loopback import answers, check_free
from stackyard.processes import MARK, Started, find, marks, same, start_time, stop
from stackyard.whole_file import write_whole

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
LOG_LINES = 15  # shown of a command that failed

Health: TypeAlias = Literal["ready", "starting", "broken", "stopped"]
Note: TypeAlias = Callable[[str], None]


@dataclass(frozen=True)
class ServiceState:
    """A service as its state file tells: ``definition`` is a digest of what was started."""

    name: str
    url: str
    note: str
    definition: str
    commands: tuple[Started, ...]
    ready: bool = False


def _silent(text: str) -> None:
    """Take no note."""


class Supervisor:
    """The local services of the project at ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._folder = self._root / ".stackyard" / "services"
        self._project = hashlib.sha256(str(self._root).encode()).hexdigest()[:16]

    def names(self) -> list[str]:
        """Names of the services that were started and not stopped, or of which anything runs."""
        files = {p.stem for p in self._folder.glob("*.json")}
        mine = self._mark("")
        running = {mark.removeprefix(mine) for mark in marks(MARK) if mark.startswith(mine)}
        return sorted(name for name in files | running if NAME.fullmatch(name))

    def read(self, name: str) -> ServiceState | None:
        """The state file of a service; None where there is none that can be understood."""
        try:
            data = json.loads((self._folder / f"{_checked(name)}.json").read_bytes())
            commands = tuple(Started(**c) for c in data.pop("commands"))
            return ServiceState(commands=commands, **data)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None  # what an unreadable file describes is found by its mark

    def health(self, name: str) -> tuple[Health, str]:
        """How a service is, and what is wrong with it if it is broken."""
        state = self.read(name)
        if state is None:
            return "stopped", ""
        dead = [c for c in state.commands if not same(c)]
        if len(dead) == len(state.commands):
            return "stopped", "it has ended by itself"
        if dead:
            return "broken", f"{dead[0].name} has ended; log: {self.log(name, dead[0].name)}"
        return ("ready" if state.ready else "starting"), ""

    def log(self, name: str, command: str) -> Path:
        """The log file of one command of a service."""
        return self._folder / _checked(name) / f"{_checked(command)}.log"

    def up(
        self,
        service: Service,
        *,
        owner: str = "",
        prepare: Callable[[], None] | None = None,
        note: Note = _silent,
    ) -> ServiceState:
        """Start ``service`` unless it runs as described, and wait until it is ready.

        Args:
            service: what to start.
            owner: whose setting to change if a port is in use, e.g. ``stacks/dev.yaml tracker``.
            prepare: called before the processes start.
            note: told about once a second what is waited for.

        Raises:
            UsageError: a port is in use, or a program does not exist.
            Unavailable: a command ended or did not get ready in time; all were stopped again.
        """
        with self._lock(note):
            state = self._found(service, note)
            if state is None:
                for command in service.commands:
                    check_free(command.port, f"service {service.name!r}: {command.name}", owner)
                if prepare is not None:
                    prepare()
                state = self._start(service)
            with self._or_stopped(service.name):
                self._wait(service, state, note)
            state = replace(state, ready=True)
            self._write(state)
            return state

    def down(self, name: str, *, note: Note = _silent) -> bool:
        """Stop a service and everything it started; return whether anything ran."""
        _checked(name)
        with self._lock(note):
            return self._stop(name)

    def _found(self, service: Service, note: Note) -> ServiceState | None:
        """The running service if it is whole and as described; else stop what is left of it."""
        state = self.read(service.name)
        if state is not None and state.definition == _definition(service):
            if all(same(c) for c in state.commands) and len(state.commands) == len(
                service.commands
            ):
                return state
            note(f"{service.name}: not all of it runs any more, starting it again")
        elif state is not None:
            note(f"{service.name}: its configuration has changed, starting it again")
        self._stop(service.name)
        return None

    def _start(self, service: Service) -> ServiceState:
        state = ServiceState(service.name, service.url, service.note, _definition(service), ())
        self._write(state)
        with self._or_stopped(service.name):
            for command in service.commands:
                started = self._spawn(service.name, command)
                state = replace(state, commands=(*state.commands, started))
                self._write(state)
        return state

    @contextmanager
    def _or_stopped(self, name: str) -> Iterator[None]:
        """Where what is done within fails, or Ctrl-C ends it, the service is stopped again."""
        with ExitStack() as undo:
            undo.callback(self._stop, name)
            yield
            undo.pop_all()

    def _spawn(self, name: str, command: Command) -> Started:
        log = self.log(name, command.name)
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.exists():
            log.replace(log.with_suffix(".log.1"))
        # SPT_NOENV: a program that sets its own title must not overwrite the mark.
        extra = {"PYTHONUNBUFFERED": "1", "SPT_NOENV": "1", **command.env, MARK: self._mark(name)}
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    list(command.argv), env={**os.environ, **extra}, cwd=self._root,
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
            except (FileNotFoundError, PermissionError) as exc:
                raise UsageError(
                    f"service {name!r}: cannot start {command.name!r}: {command.argv[0]}: "
                    f"{exc.strerror}. Is it installed? See: stackyard doctor"
                ) from exc
        process.returncode = 0  # it outlives this object on purpose
        return Started(command.name, process.pid, start_time(process.pid))

    def _wait(self, service: Service, state: ServiceState, note: Note) -> None:
        began = time.monotonic()
        waiting = [c for c in service.commands if c.ready]
        settled = began if waiting else began + 1.0  # what tells nothing must live for a second
        told = began
        while True:
            for command in state.commands:
                if not same(command):
                    raise Unavailable(self._failure(service.name, command.name, "has ended"))
            waiting = [c for c in waiting if not answers(c.ready or "")]
            now = time.monotonic()
            if not waiting and now >= settled:
                return
            if waiting and now - began > service.ready_within:
                why = f"did not answer at {waiting[0].ready} within {service.ready_within:g} s"
                raise Unavailable(self._failure(service.name, waiting[0].name, why))
            if waiting and now - told >= 1:
                note(f"{service.name}: waiting for {waiting[0].name} ({now - began:.0f} s)")
                told = now
            time.sleep(0.1)

    def _failure(self, name: str, command: str, why: str) -> str:
        log = self.log(name, command)
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            lines = file.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]
        shown = "".join(f"\n    {line}" for line in lines) or " (nothing was written)"
        return redact(f"service {name!r}: {command} {why}. Last lines of {log}:{shown}")

    def _stop(self, name: str) -> bool:
        state = self.read(name)
        leaders = state.commands if state else ()
        stopped = stop(lambda: find(leaders, MARK, self._mark(name)), leaders)
        (self._folder / f"{name}.json").unlink(missing_ok=True)
        return stopped

    def _mark(self, name: str) -> str:
        return f"{self._project}/{name}"

    def _write(self, state: ServiceState) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / f"{_checked(state.name)}.json"
        write_whole(file, json.dumps(asdict(state), indent=1))

    @contextmanager
    def _lock(self, note: Note) -> Iterator[None]:
        """Only one process at a time starts or stops services; a dead one holds no lock."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / ".lock").open("ab") as file:
            if not _try_lock(file):
                note("waiting for another 'stack up' or 'stack down' in this project")
                while not _try_lock(file):
                    time.sleep(0.1)
            yield


def _try_lock(file: IO[bytes]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _checked(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise UsageError(f"service name {name!r}: use ASCII letters, digits, '-' and '_'")
    return name


def _definition(service: Service) -> str:
    """A digest of what is started; environment values, which may be secret, stay out of files."""
    commands: list[Any] = [[c.name, list(c.argv), dict(c.env), c.port] for c in service.commands]
    return hashlib.sha256(json.dumps(commands, sort_keys=True).encode()).hexdigest()
