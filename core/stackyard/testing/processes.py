"""What the contracts ask of components in processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from stackyard import plugins
from stackyard.components.base import Context
from stackyard.distributions import normal_name
from stackyard.graph import Graph
from stackyard.testing.in_stack import made_of

WAIT = 120.0  # seconds, for a process that has to import its tool
_FOLDERS = ("project", "cache_dir", "state_dir")
_TEXTS = ("name", "stack", "pipeline", "run", "step", "actor", "deadline")
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
    imported = set(_answer(code + _REPORT, given))
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
    return dict(_answer(_COMPILING, given, {"PYTHONHASHSEED": str(seed)}))


def _answer(code: str, given: Mapping[str, Any], env: Mapping[str, str] | None = None) -> Any:
    """What ``code`` prints as JSON."""
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


def at_once(contract: type, settings: Mapping[str, Any], context: Context, token: str) -> list[Any]:
    """What ``do_at_once`` of ``contract`` gives in two processes that begin it together."""
    said = {
        "contract": _contract_of(contract),
        "settings": dict(settings),
        "token": token,
        "context": {name: getattr(context, name) for name in _TEXTS}
        | {name: str(getattr(context, name)) for name in _FOLDERS},
    }
    return together(
        [
            sys.executable,
            "-m",
            "stackyard.testing.processes",
            json.dumps({**said, "number": number}),
        ]
        for number in (0, 1)
    )


def together(
    commands: Iterable[Sequence[str]], environment: Mapping[str, str] | None = None
) -> list[Any]:
    """What commands that begin their work at the same moment print, as JSON on their last lines.

    Each prints ``ready``, reads a line, and works.
    """
    running = [_begin(command, environment) for command in commands]
    try:
        for process in running:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise AssertionError(process.communicate(timeout=WAIT)[1])
        results = []
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in running:
            out, error = process.communicate(timeout=WAIT)
            assert process.returncode == 0, error
            results.append(json.loads(out.splitlines()[-1]))
    finally:
        for process in running:
            process.kill()
            process.wait()
    return results


def _begin(command: Sequence[str], environment: Mapping[str, str] | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip


def _contract_of(cls: type) -> str:
    """The contract that a test class inherits, which another process can import."""
    found = next(base for base in cls.__mro__ if base.__module__.startswith("stackyard.testing."))
    return f"{found.__module__}:{found.__qualname__}"


def _work(given: dict[str, Any]) -> None:
    from stackyard.registry import load

    contract = load(given["contract"], "contract")
    fields = given["context"] | {name: Path(given["context"][name]) for name in _FOLDERS}
    context = Context(**fields)
    made = made_of(contract.kind, given["settings"], context)
    print("ready", flush=True)
    sys.stdin.readline()
    result = contract.do_at_once(made, given["number"], given["token"])
    made.close()
    print(json.dumps(result))


if __name__ == "__main__":
    _work(json.loads(sys.argv[1]))
