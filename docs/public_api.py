"""Writes docs/reference/public-api.md: every public name with its signature.

python -m docs.public_api          writes it
python -m docs.public_api --check  exits 1 if the file is not up to date
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

FILE = Path(__file__).parent / "reference" / "public-api.md"
MODULES = (
    "stackyard",
    "stackyard.errors",
    "stackyard.flavors",
    "stackyard.hookspecs",
    "stackyard.components.base",
    "stackyard.components.data_versioner",
    "stackyard.components.feature_store",
    "stackyard.components.feature_view",
    "stackyard.components.monitor",
    "stackyard.components.monitor_report",
    "stackyard.components.monitor_watch",
    "stackyard.components.orchestrator",
    "stackyard.components.registry",
    "stackyard.components.rollout",
    "stackyard.components.server",
    "stackyard.components.suite_check",
    "stackyard.components.tracker",
    "stackyard.components.validator",
    "stackyard.store.formats",
    "stackyard.feature_rows",
    "stackyard.inference",
    "stackyard.loopback",
    "stackyard.models",
    "stackyard.testing",
)
TOP = """\
# Public names

<!-- Written by docs/public_api.py; change the code, not this file. -->

What [the promise](../explanation/compatibility.md) is about: each name with its signature. A frozen
value has its constructor, other classes have their public methods; `abstract` are those that a
component has to have. What stands nowhere here is not public, and may change at any time.
"""


def document() -> str:
    """The page."""
    parts = [TOP]
    for name in MODULES:
        lines = list(_module(importlib.import_module(name)))
        parts.append(f"\n## {name}\n\n```text\n" + "\n".join(lines) + "\n```\n")
    return "".join(parts)


def _module(module: ModuleType) -> Iterator[str]:
    exported = getattr(module, "__all__", None)
    names = sorted(exported or (n for n in vars(module) if _own(module, n)))
    for name in names:
        value = getattr(module, name)
        home = getattr(value, "__module__", module.__name__)
        if home != module.__name__ and home in MODULES:
            yield f"{name} = {home}.{name}"
        else:
            yield from _named(name, value)


def _own(module: ModuleType, name: str) -> bool:
    """Whether a public name is defined in the module, or belongs to it as a constant."""
    value = vars(module)[name]
    if name.startswith("_") or inspect.ismodule(value) or name == "annotations":
        return False
    return getattr(value, "__module__", module.__name__) == module.__name__ and (
        inspect.isclass(value) or inspect.isfunction(value) or name.isupper()
    )


def _named(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _class(name, value)
    elif callable(value):
        yield f"{name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _class(name: str, cls: type) -> Iterator[str]:
    bases = ", ".join(b.__name__ for b in cls.__bases__ if b is not object)
    yield f"class {name}({bases})" if bases else f"class {name}"
    if dataclasses.is_dataclass(cls):
        yield f"    {name}{_signature(cls)}"
    for member, value in sorted(vars(cls).items()):
        if member.startswith("_") or member in _fields(cls):
            continue
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        abstract = "abstract " if getattr(function, "__isabstractmethod__", False) else ""
        if isinstance(function, property):
            yield f"    {abstract}{member}: property"
        elif inspect.isfunction(function):
            yield f"    {abstract}{member}{_signature(function)}"


def _fields(cls: Any) -> set[str]:
    """Names of a dataclass's fields, which its constructor shows already."""
    return {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()


class _Written(str):
    """An annotation, shown as it is written."""

    def __repr__(self) -> str:
        return str(self)


def _signature(value: Any) -> str:
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):  # an exception has none
        return ""
    parameters = [p.replace(annotation=_written(p.annotation)) for p in found.parameters.values()]
    returned = _written(found.return_annotation)
    shown = str(found.replace(parameters=parameters, return_annotation=returned))
    return re.sub(r"<(\w+)[^>]*? at 0x[0-9a-f]+>", r"<\1>", shown)


def _written(annotation: Any) -> Any:
    return _Written(annotation) if isinstance(annotation, str) else annotation


def main() -> int:
    """Write the page, or compare it."""
    text = document()
    if FILE.exists() and FILE.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in sys.argv:
        print(f"{FILE} is not up to date: python -m docs.public_api", file=sys.stderr)
        return 1
    FILE.write_text(text, encoding="utf-8")
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
