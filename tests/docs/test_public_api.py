"""The page of public names says what the code says, and every name on it is explained."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.public_api import FILE, MODULES, document, names
from tests.docs.pages import blocks


def test_no_signature_changes_unseen() -> None:
    assert FILE.read_text(encoding="utf-8") == document(), "python docs/public_api.py"


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    named = getattr(module, "__all__", None) or [n for n in vars(module) if n[0] != "_"]
    found = [getattr(module, n) for n in named]
    ours = [v for v in found if getattr(v, "__module__", "").startswith("stackyard")]
    lacking = [v for v in ours if inspect.isclass(v) and not v.__doc__]
    lacking += [v for v in ours if inspect.isfunction(v) and not v.__doc__]
    assert lacking == []


PAGES = sorted(set(FILE.parent.glob("*.md")) - {FILE})


def told(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of what a page's text and its code import from Stackyard."""
    dotted = re.findall(r"`(stackyard(?:\.[a-z_]+)*)\.(\w+)[(`]", path.read_text("utf-8"))
    yield from (pair for pair in dotted if ".".join(pair) not in (*MODULES, *NO_NAMES))
    for block in blocks(path):
        for node in ast.walk(ast.parse(block.text)) if block.language == "python" else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stackyard"):
                yield from ((node.module or "", one.name) for one in node.names)


NO_NAMES = {"stackyard.components", "stackyard.plugins", "stackyard.run_id"}  # a package, ...


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_what_a_page_tells_to_import_is_public(path: Path) -> None:
    public = {name: names(importlib.import_module(name)) for name in MODULES}
    assert [pair for pair in told(path) if pair[1] not in public.get(pair[0], ())] == []


def test_attributes_aliases_and_what_is_inherited_from_a_class_without_a_page() -> None:
    lines = document().splitlines()
    first = lines.index("class RegistryContract(ComponentContract)")
    shown = "\n".join(lines[first : lines.index("class ResourceContract(ABC)")])
    assert "test_08_an_alias_moves(" in shown and "    damage(" in shown
    assert "deviations" not in shown  # ComponentContract's, which is on the page
    assert "    suffix: ClassVar[str]" in lines
    assert "    settings: fixture" in lines
    assert "Entry = LoggedParam | LoggedMetric | LoggedTag | LoggedArtifact" in lines
