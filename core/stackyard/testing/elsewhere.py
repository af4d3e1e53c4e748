"""What a test class does in a process of its own: at another place, or two at once.

The other process loads the class from its file, so it must be one of a module, not of a function.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import reduce
from io import StringIO
from tempfile import TemporaryDirectory
from typing import Any

from stackyard.components.base import Context
from stackyard.testing.in_stack import context_of, facts_of, made_of
from stackyard.testing.processes import begin, together

_case: list[Any] = []  # the test class's instance, in the other process


def elsewhere(
    cls: type,
    task: Callable[..., Any],
    *given: Any,
    times: int = 1,
    environment: Mapping[str, str] | None = None,
) -> list[Any]:
    """What ``task(cls(), *given)`` returns in other processes that begin it together.

    They have another hash seed, and a time zone in which it is another day.

    Args:
        cls: a test class.
        task: a function of a module of Stackyard's.
        given: plain data.
        times: how many processes.
        environment: on top of this process's.
    """
    other = {"PYTHONHASHSEED": "4711", "TZ": "ELSE-24", **(environment or {})}
    return _processes(cls, task, [given] * times, other)


def at_once(cls: type, settings: Mapping[str, Any], context: Context, token: str) -> list[Any]:
    """What ``do_at_once`` of a test class gives in two processes that begin it together."""
    given = dict(settings), facts_of(context), token
    return _processes(cls, _do_at_once, [(*given, number) for number in (0, 1)], {})


def _processes(
    cls: type, task: Callable[..., Any], given: list[tuple[Any, ...]], other: Mapping[str, str]
) -> list[Any]:
    said = {
        "path": sys.path,
        "module": cls.__module__,
        "file": sys.modules[cls.__module__].__file__,
        "class": cls.__qualname__,
        "task": [task.__module__, task.__name__],
    }
    command = [sys.executable, "-m", "stackyard.testing.elsewhere"]
    commands = [[*command, json.dumps({**said, "given": one})] for one in given]
    return together(commands, {**os.environ, **other})


def case() -> Any:
    """The instance that works in this process; for a pipeline's steps."""
    return _case[0]


def _do_at_once(
    case: Any, settings: Mapping[str, Any], facts: Mapping[str, Any], token: str, number: int
) -> Any:
    context = context_of(facts)
    with TemporaryDirectory() as folder:
        os.chdir(folder)  # relative paths count from the project, wherever it is started
        made = made_of(case.kind, settings, context)
        begin()  # with a component that is made: both meet in what it does
        with redirect_stdout(StringIO()) as printed:
            result = case.do_at_once(made, number, token)
            made.close()
        os.chdir(context.project)  # not every system removes a folder that is in use
    assert printed.getvalue() == "", f"it prints on standard output: {printed.getvalue()!r}"
    return result


def _work(said: dict[str, Any]) -> None:
    sys.path[:] = map(os.path.abspath, said["path"])
    module, name = said["task"]
    task = getattr(importlib.import_module(module), name)
    spec = importlib.util.spec_from_file_location(said["module"], said["file"])
    assert spec is not None
    assert spec.loader is not None
    loaded = sys.modules[said["module"]] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    found: Any = reduce(getattr, said["class"].split("."), loaded)
    _case.append(found())
    if task is not _do_at_once:
        begin()
    result = task(case(), *said["given"])
    print(f"\n{json.dumps(result)}")


if __name__ == "__main__":
    from stackyard.testing import elsewhere as once  # this module by its name, which steps import

    once._work(json.loads(sys.argv[1]))
