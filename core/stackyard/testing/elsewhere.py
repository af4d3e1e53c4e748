"""What a test class does in a process of its own: at another place, or two at once.

The other process loads the class from its file, so it must be one of a module, not of a function.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from stackyard.testing.processes import together

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
    said = {
        "path": sys.path,
        "module": cls.__module__,
        "file": sys.modules[cls.__module__].__file__,
        "class": cls.__qualname__,
        "task": [task.__module__, task.__name__],
        "given": given,
    }
    command = [sys.executable, "-m", "stackyard.testing.elsewhere", json.dumps(said)]
    other = {"PYTHONHASHSEED": "4711", "TZ": "ELSE-24", **(environment or {})}
    return together([command] * times, {**os.environ, **other})


def case() -> Any:
    """The instance that works in this process; for a pipeline's steps."""
    return _case[0]


def _work(said: dict[str, Any]) -> None:
    sys.path[:] = said["path"]
    module, name = said["task"]
    task = getattr(importlib.import_module(module), name)
    spec = importlib.util.spec_from_file_location(said["module"], said["file"])
    assert spec is not None
    assert spec.loader is not None
    loaded = sys.modules[said["module"]] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    found: Any = reduce(getattr, said["class"].split("."), loaded)
    _case.append(found())
    print("ready", flush=True)
    sys.stdin.readline()
    result = task(case(), *said["given"])
    print(f"\n{json.dumps(result)}")


if __name__ == "__main__":
    from stackyard.testing import elsewhere as once  # this module by its name, which steps import

    once._work(json.loads(sys.argv[1]))
