"""Step functions by name: ``module:qualified_name``, as a graph keeps them."""

from __future__ import annotations

import sys
from pathlib import PurePath
from types import FunctionType
from typing import TYPE_CHECKING, Any

from stackyard.errors import PipelineError
from stackyard.location import defined

if TYPE_CHECKING:
    from stackyard.pipeline import StepFunction


def target_of(function: FunctionType) -> str:
    """Return the target of ``function``."""
    return f"{function.__module__}:{function.__qualname__}"


def source_of(function: FunctionType) -> str:
    """Return ``file:name`` relative to the code root, whose folder is in no graph."""
    module, file = function.__module__, PurePath(function.__code__.co_filename)
    if module == "__main__":
        return f"{'notebook' if 'ipykernel' in str(file) else file.name}:{function.__name__}"
    package = "/__init__" if file.name == "__init__.py" else ""
    return f"{module.replace('.', '/')}{package}.py:{function.__name__}"


def reachable(step: StepFunction[..., Any], function: FunctionType) -> None:
    """Raise PipelineError unless another process finds ``step`` by its target.

    In a notebook or script the step travels by value instead; a nested one is kept under its
    qualified name, so that it is found here.
    """
    module, name = function.__module__, function.__qualname__
    home = sys.modules.get(module)
    if module == "__main__":
        if "." in name or "<" in name:
            setattr(home, name, step)
        return
    label = f"{defined(function.__code__)}: step {function.__name__!r}"
    if "." in name or "<" in name:
        place = "a function" if "<" in name else "a class"
        kind = "a lambda" if function.__name__ == "<lambda>" else f"defined inside {place}"
        raise PipelineError(
            f"{label} is {kind}, so another process cannot find it. Define it with `def` at the "
            "top level of its module"
        )
    found = getattr(home, name, None)
    if getattr(found, "function", None) is not step.function:
        raise PipelineError(
            f"{label}: the name {name!r} in module {module!r} is not this step, so another process "
            "cannot find it. Put @step above the function and keep its name"
        )
