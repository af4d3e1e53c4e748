"""What ``stackyard doctor`` looks at: what is installed, reachable, misconfigured, and the fix."""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackyard.components.base import Finding, redact
from stackyard.errors import StackyardError

if TYPE_CHECKING:
    from pathlib import Path

    from stackyard.project import Project
    from stackyard.stack import Stack

DEADLINE = 15.0  # seconds that a component may take to answer
LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops", "cloudpickle", "fsspec", "s3fs")
LITTLE = 1_000_000_000  # bytes free on the store's disk below which it is said


@dataclass(frozen=True)
class Line:
    """A finding in its section. ``ok`` None: worth knowing, neither right nor wrong."""

    section: str
    ok: bool | None
    what: str
    cure: str = ""


def examine(
    find: Callable[[], Project], option: str | None, deadline: float = DEADLINE
) -> Iterator[Line]:
    """Yield what is found, section by section; never raises for what is wrong.

    Args:
        find: returns the project, or raises UsageError where there is none.
        option: the stack that was asked for, None for the chosen one.
        deadline: seconds for each component.
    """
    told: set[str] = set()
    for line in _examined(find, option, deadline):
        again = line.what in told or (line.section != "store" and any(t in line.what for t in told))
        if line.ok is False and again:
            if line.section == "components":  # it stays in the list
                yield Line(line.section, None, f"{line.what.partition(': ')[0]}: see above")
            continue
        if line.ok is False:
            told |= {line.what, line.what.partition(": ")[2] or line.what}
        yield line


def _examined(find: Callable[[], Project], option: str | None, deadline: float) -> Iterator[Line]:
    """What ``examine`` finds; what is wrong with a plugin shows in several sections."""
    from stackyard.choice import why_chosen
    from stackyard.profile import load_profile
    from stackyard.stack import Stack

    try:
        project = find()
    except StackyardError as exc:
        yield from _installed(None)
        yield Line("project", False, str(exc))
        return
    yield from _installed(project.plugin_file)
    yield from _project(project)
    try:
        name, why = why_chosen(project, option)
        stack = Stack(load_profile(project, name), project)
    except StackyardError as exc:
        yield Line("stack", False, str(exc))
        return
    yield from _stack(stack, why)
    yield from _store(stack)
    yield from _components(stack, deadline)
    yield from _services(stack)


def _installed(file: Path | None) -> Iterator[Line]:
    from stackyard import plugins
    from stackyard.registry import faults

    version = ".".join(map(str, sys.version_info[:3]))
    supported = (3, 11) <= sys.version_info[:2] < (3, 14)
    cure = "" if supported else "use Python 3.11, 3.12 or 3.13"
    yield Line("installed", supported, f"Python {version} ({sys.executable})", cure)
    found = plugins.load(file)
    have = {d.name: d.version for d in found.distributions.values()}
    yield Line("installed", True, f"stackyard {have.get('stackyard', 'from source')}")
    there = [f"{name} {have[name]}" for name in LIBRARIES if name in have]
    listed = ", ".join(there) or f"none of {', '.join(LIBRARIES)}"
    yield Line("installed", None, f"libraries: {listed}")
    for plugin in found.loaded:
        offers = [f"{f.kind} {f.name}" for f in plugin.flavors]
        offers += [f"format {f.name}" for f in plugin.formats]
        offers += [f"secret provider {s.name}" for s in plugin.secret_providers]
        offers += [f"listens to {hook.removeprefix('stackyard_')}" for hook in plugin.listens]
        slow = f"; its import takes {plugin.seconds:.1f} s" if plugin.slow else ""
        wrong = faults(plugin)
        yield Line(
            "plugins", None if wrong else True, f"{plugin}: {', '.join(offers) or 'nothing'}{slow}"
        )
        for text in wrong:
            yield Line("plugins", False, f"{plugin}: {text}", _leave_out(plugin.distribution.name))
    for text in found.ambiguous():
        yield Line("plugins", None, text)
    for broken in found.broken:
        yield Line(
            "plugins",
            False,
            f"{broken} is broken and not used: {broken.reason}",
            f"mend it, or {_leave_out(broken.distribution)}",
        )
    for name in found.disabled:
        yield Line("plugins", None, f"{name} is disabled by STACKYARD_DISABLED_PLUGINS")


def _leave_out(distribution: str) -> str:
    return f"leave it out: STACKYARD_DISABLED_PLUGINS={distribution}"


def _project(project: Project) -> Iterator[Line]:
    roots = ", ".join(p.relative_to(project.root).as_posix() for p in project.code_roots)
    names = list(project.pipelines())
    broken = project.unreadable()
    cure = "" if names or broken else "write one: a function marked @pipeline in dags/"
    what = (
        f"{project.root}; code in {roots or 'no folder'}; pipelines: {', '.join(names) or 'none'}"
    )
    yield Line("project", True if names else None, what, cure)
    for text in broken:
        yield Line("project", False, text)


def _stack(stack: Stack, why: str) -> Iterator[Line]:
    from stackyard.stack_check import check

    files = " over ".join(stack.profile.files)
    found = check(stack)
    sound = None if found.errors else True
    yield Line("stack", sound, f"{stack.profile.name} ({why}): {files}")
    said = stack.project.unreadable()  # in the project's section
    for text in found.errors:
        if text not in said:
            yield Line("stack", False, text)
    for text in found.warnings:
        if not text.startswith("plugin "):  # said in its own section
            yield Line("stack", None, text)


def _store(stack: Stack) -> Iterator[Line]:
    """Write, read and delete one small object."""
    try:
        store = stack.store()
        key = f"doctor/{secrets.token_hex(8)}"
        began = time.perf_counter()
        store.backend.put_if_absent(key, b"ok")
        whole = store.backend.get(key) == b"ok"
        store.backend.delete(key)
        took = time.perf_counter() - began
    except StackyardError as exc:
        yield Line("store", False, str(exc))
        return
    yield Line("store", whole, f"{store.url} can be written and read ({took * 1000:.0f} ms)")
    if "://" not in store.url:
        import shutil

        free = shutil.disk_usage(store.url).free
        if free < LITTLE:
            cure = "free space there, or delete old runs: stackyard runs gc --older-than 30d"
            yield Line("store", None, f"{free / 1e6:.0f} MB are free on its disk", cure)


def _components(stack: Stack, deadline: float) -> Iterator[Line]:
    """Ask every component at once; one that hangs is left behind."""
    answers: dict[str, Sequence[Finding]] = {}
    threads = {}
    for key in stack.profile.components:
        thread = threading.Thread(
            target=_ask, args=(stack, key, deadline, answers), name=f"doctor {key}", daemon=True
        )
        thread.start()
        threads[key] = thread
    end = time.monotonic() + deadline + 1
    for key, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        spec = stack.profile.components[key]
        label = f"{key} ({spec.flavor})"
        if key not in answers:
            yield Line("components", False, f"{label}: no answer within {deadline:g} s")
        elif not answers[key]:
            yield Line("components", True, f"{label}: nothing to check")
        for finding in answers.get(key, ()):
            yield Line("components", finding.ok, f"{label}: {redact(finding.what)}", finding.cure)


def _ask(stack: Stack, key: str, deadline: float, answers: dict[str, Sequence[Finding]]) -> None:
    kind, _, instance = key.partition(".")
    try:
        component = stack.component(kind, instance or None, deadline=deadline)
        try:
            answers[key] = list(component.check())
        finally:
            component.close()
    except StackyardError as exc:
        answers[key] = [Finding(False, str(exc))]
    except Exception as exc:  # a tool's own failure is a finding; the others are still asked
        answers[key] = [Finding(False, f"its check raised {type(exc).__name__}: {exc}")]


def _services(stack: Stack) -> Iterator[Line]:
    from stackyard.services import needed
    from stackyard.supervisor import Supervisor

    try:
        wanted = set(needed(stack))
    except StackyardError:  # said above, by the component that cannot be made
        wanted = set()
    supervisor = Supervisor(stack.project.root)
    up = f"stackyard stack up --stack {stack.profile.name}"
    for name in sorted(wanted | set(supervisor.names())):
        health, why = supervisor.health(name)
        text = f"{name} is {health}" + (f": {why}" if why else "")
        if health == "ready":
            yield Line("services", True, text)
        elif health == "broken":
            yield Line("services", False, text, f"start it again: {up}")
        elif name in wanted:
            yield Line("services", None, text, f"start it: {up}")
        else:
            yield Line("services", None, text, "stop what is left of it: stackyard stack down")
