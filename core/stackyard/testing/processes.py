"""What the contracts ask of components in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import IO, Any

from stackyard import plugins
from stackyard.components.base import Context
from stackyard.distributions import normal_name
from stackyard.graph import Graph
from stackyard.processes import kill_tree

WAIT = 120.0  # seconds, for a process that has to import its tool
READY = "ready"
LINES = 40  # of the errors of a process that failed
_MAKING = """
import json, sys
given = json.loads(sys.argv[1])
from pathlib import Path
from stackyard.components.base import Context
from stackyard.testing.in_stack import made_of
made_of(given["kind"], given["settings"], Context(project=Path(given["project"])))
"""
_REPORT = """
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
_COMPILING = """
import json, sys
given = json.loads(sys.argv[1])
from pathlib import Path
from stackyard.components.base import Context
from stackyard.components.orchestrator import PipelineSettings
from stackyard.graph import Graph
from stackyard.testing.in_stack import made_of
context = Context(project=Path(given["project"]), stack=given["stack"])
made = made_of("orchestrator", given["settings"], context)
files = made.compile(Graph.from_json(given["graph"]), PipelineSettings(), given["stack"])
print(json.dumps(dict(files)))
"""


def imported_by(kind: str, settings: Mapping[str, Any], project: Path) -> list[str]:
    """Modules of the plugin's dependencies that making its component imports; sorted.

    What Stackyard depends on itself does not count.
    """
    given = {"kind": kind, "settings": dict(settings), "project": str(project)}
    (plugin,) = plugins.load().providers(kind, settings["flavor"])
    return imported_for(plugin.distribution.name, _MAKING, given)


def imported_for(distribution: str, code: str, given: Any) -> list[str]:
    """Modules of what ``distribution`` depends on that ``code`` imports in a process of its own.

    Args:
        distribution: its name.
        code: imports ``json`` and ``sys``, and finds ``given`` in ``sys.argv[1]``.
        given: plain data.
    """
    imported = set(answer(code + _REPORT, given))
    own = {"stackyard", *_needed("stackyard")}
    return sorted(imported & _modules(_needed(distribution) - own))


def compiled_by(
    settings: Mapping[str, Any], context: Context, graph: Graph, seed: int
) -> dict[str, str]:
    """What an orchestrator compiles ``graph`` to in a process with the hash seed ``seed``."""
    given = {
        "settings": dict(settings),
        "project": str(context.project),
        "stack": context.stack,
        "graph": graph.to_json(),
    }
    return dict(answer(_COMPILING, given, {"PYTHONHASHSEED": str(seed)}))


def answer(code: str, given: Mapping[str, Any], env: Mapping[str, str] | None = None) -> Any:
    """What ``code`` prints as JSON in a process of its own.

    Args:
        code: imports ``json`` and ``sys``, and finds ``given`` in ``sys.argv[1]``.
        given: plain data.
        env: on top of this process's.
    """
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(given)], env={**os.environ, **(env or {})},
        capture_output=True, text=True, timeout=WAIT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _needed(distribution: str) -> set[str]:
    """Names of the distributions that one requires, extras left out."""
    wanted = (line for line in metadata.requires(distribution) or () if "extra ==" not in line)
    names = (re.match(r"[A-Za-z0-9._-]+", line) for line in wanted)
    return {normal_name(name[0]) for name in names if name}


def _modules(distributions: set[str]) -> set[str]:
    """Top-level modules of distributions."""
    by_module = metadata.packages_distributions()
    return {
        module
        for module, names in by_module.items()
        if distributions & {normal_name(name) for name in names}
    }


def together(
    commands: Iterable[Sequence[str]], environment: Mapping[str, str] | None = None
) -> list[Any]:
    """What commands that begin their work at the same moment print, as JSON on their last lines.

    Each prepares itself, calls ``begin``, and works.

    Raises:
        AssertionError: one failed, or took too long; says what it said last.
    """
    with ExitStack() as ending:
        running = [ending.enter_context(_begun(command, environment)) for command in commands]
        processes = [process for process, _ in running]
        hung = Timer(2 * WAIT, _kill, [processes])
        hung.start()
        ending.callback(hung.cancel)
        who = "one of two processes at once" if len(running) > 1 else "a process of its own"
        for process, error in running:
            if not _ready(process):
                raise AssertionError(f"{who} failed: {_said_last(process, error)}")
        for process in processes:
            _go(process)
        results = []
        for process, error in running:
            out, _ = process.communicate()
            if process.returncode != 0:
                raise AssertionError(f"{who} failed: {_said_last(process, error)}")
            results.append(json.loads(out.splitlines()[-1]))
    return results


def begin() -> None:
    """Wait, in a process of ``together``, until the others are as far."""
    print(f"\n{READY}", flush=True)
    sys.stdin.readline()


@contextmanager
def _begun(
    command: Sequence[str], environment: Mapping[str, str] | None
) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    """A process, and the file of its errors; killed at the end."""
    with (
        TemporaryFile("w+", errors="replace") as error,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=error, text=True,
            env=environment,
        ) as process,
    ):  # fmt: skip
        try:
            yield process, error
        finally:
            process.kill()


def _kill(processes: Iterable[subprocess.Popen[str]]) -> None:
    """Also what they started: it may hold the pipe at whose end ``communicate`` waits."""
    for process in processes:
        if process.poll() is None:
            kill_tree(process.pid)


def _ready(process: subprocess.Popen[str]) -> bool:
    """Whether it begins; what was printed before it does is passed over."""
    assert process.stdout is not None
    return f"{READY}\n" in process.stdout


def _go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _said_last(process: subprocess.Popen[str], error: IO[str]) -> str:
    """The last line of its errors, which names the exception, then those before it."""
    code = process.wait(WAIT)
    error.seek(0)
    lines = error.read().rstrip().splitlines()[-LINES:]
    return "\n".join([*lines[-1:], *lines[:-1]]) or f"exit code {code}; killed after {2 * WAIT:g} s"
