"""Writes docs/reference/public-api.md: every public name with its signature.

python -m docs.public_api          writes it
python -m docs.public_api --check  exits 1 if the file is not up to date
"""

from __future__ import annotations

import dataclasses
import functools
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
    "stackyard.graph",
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
    "stackyard.inference_log",
    "stackyard.loopback",
    "stackyard.models",
    "stackyard.testing",
    "stackyard.validation",
    "stackyard.whole_folder",
)
#: Of these modules only what is named here, which reference pages are about.
ONLY = {
    "stackyard.graph": ("Graph", "Injection", "Param", "Step", "StepOptions"),
    "stackyard.inference_log": ("read_answers",),
    "stackyard.validation": ("check_frame",),
}
TOP = """\
# Public names

<!-- Written by docs/public_api.py; change the code, not this file. -->

What [the promise](../explanation/compatibility.md) is about: each name with its signature. A frozen
value has its constructor, other classes have their public methods and attributes; `abstract` are
those that a component has to have. A Python name that stands neither here nor on another page of
the reference is not public, and may change at any time.
"""


def document() -> str:
    """The page."""
    parts = [TOP]
    for name in MODULES:
        lines = list(_module(importlib.import_module(name)))
        parts.append(f"\n## {name}\n\n```text\n" + "\n".join(lines) + "\n```\n")
    return "".join(parts)


def _module(module: ModuleType) -> Iterator[str]:
    for name in names(module):
        value = getattr(module, name)
        home = getattr(value, "__module__", module.__name__)
        if _is_alias(module, name):
            shown = inspect.formatannotation(value).replace(f"{module.__name__}.", "")
            yield f"{name} = {shown}"
        elif home != module.__name__ and home in MODULES and name in ONLY.get(home, (name,)):
            yield f"{name} = {home}.{name}"
        else:
            yield from _named(name, value)


def names(module: ModuleType) -> list[str]:
    """The public names of a module."""
    told = ONLY.get(module.__name__) or getattr(module, "__all__", None)
    return sorted(told or (n for n in vars(module) if _own(module, n)))


def _own(module: ModuleType, name: str) -> bool:
    """Whether a public name is defined in the module, or belongs to it as a constant."""
    value = vars(module)[name]
    if name.startswith("_") or inspect.ismodule(value) or name == "annotations":
        return False
    if _is_alias(module, name):
        return True
    return getattr(value, "__module__", module.__name__) == module.__name__ and (
        inspect.isclass(value) or inspect.isfunction(value) or name.isupper()
    )


def _is_alias(module: ModuleType, name: str) -> bool:
    return vars(module).get("__annotations__", {}).get(name) == "TypeAlias"


def _named(name: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _class(name, value)
    elif callable(value):
        yield f"{name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _class(name: str, cls: type) -> Iterator[str]:
    bases = ", ".join(dict.fromkeys(b.__name__ for b in _bases(cls) if b is not object))
    yield f"class {name}({bases})" if bases else f"class {name}"
    if dataclasses.is_dataclass(cls):
        yield f"    {name}{_signature(cls)}"
    for member, (value, annotation) in sorted(_members(cls).items()):
        if not member.startswith("_") and member not in _fields(cls):
            yield f"    {_member(member, value, annotation)}"


def _bases(cls: type) -> Iterator[type]:
    """Its bases; for one that stands on no page, the bases of that."""
    for base in cls.__bases__:
        yield from _bases(base) if _hidden(base) else [base]


def _members(cls: type) -> dict[str, tuple[Any, Any]]:
    """Value and annotation of each attribute, those of bases that stand on no page included."""
    found: dict[str, tuple[Any, Any]] = {}
    for base in reversed([cls, *_hidden_bases(cls)]):
        annotated = inspect.get_annotations(base)
        for name in {*vars(base), *annotated}:
            found[name] = (vars(base).get(name), annotated.get(name))
    return found


def _hidden_bases(cls: type) -> list[type]:
    """Those that stand on no page, nearest first, up to one that does."""
    reached = {b for base in cls.__bases__ if _hidden(base) for b in [base, *_hidden_bases(base)]}
    return [base for base in cls.__mro__ if base in reached]


@functools.cache
def _hidden(cls: type) -> bool:
    """Whether a class is one of ours that is not listed."""
    modules = map(importlib.import_module, MODULES)
    listed = any(getattr(m, n) is cls for m in modules for n in names(m))
    return cls.__module__.startswith("stackyard") and not listed


def _member(name: str, value: Any, annotation: Any) -> str:
    """A method with its signature; any other attribute with its type."""
    function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
    abstract = "abstract " if getattr(function, "__isabstractmethod__", False) else ""
    if isinstance(function, property):
        return f"{abstract}{name}: property"
    if inspect.isfunction(function):
        return f"{abstract}{name}{_signature(function)}"
    if type(value).__name__ == "FixtureFunctionDefinition":  # pytest has no public name for it
        return f"{name}: fixture"
    return f"{name}: {annotation or type(value).__name__}"


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
