"""What a distribution imports it also declares: in an environment of its own nothing is missing."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from stackyard.distributions import normal_name

ROOT = Path(__file__).parents[2]
PLUGINS = sorted(p.parent for p in ROOT.glob("plugins/*/pyproject.toml"))
# KServe's model server runs in an environment or image of its own, which has KServe.
ELSEWHERE = ["model_server.py"]
NAME = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[(?P<extras>[^\]]*)\])?")


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Top-level modules that a file imports when it runs, with the line."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body.clear()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0], node.lineno


def declared(folder: Path) -> set[str]:
    """Distributions that a project requires, with those of the extras that it asks for."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: set[str] = set()
    wanted = list(project["dependencies"])
    if folder != ROOT:
        root = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        wanted += root["dependencies"]
        optional = root["optional-dependencies"]
        for text in project["dependencies"]:
            match = NAME.match(text)
            if match and match["name"] == "stackyard" and match["extras"]:
                for extra in match["extras"].split(","):
                    wanted += optional[extra.strip()]
    for text in wanted:
        match = NAME.match(text)
        assert match is not None, text
        found.add(normal_name(match["name"]))
    return found


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda p: p.name)
def test_what_a_plugin_imports_it_declares(folder: Path) -> None:
    homes = metadata.packages_distributions()
    known = declared(folder)
    lacking = []
    for file in sorted(folder.glob("src/**/*.py")):
        if file.name in ELSEWHERE:
            continue
        for module, line in imports(file):
            if module in sys.stdlib_module_names or module.startswith("stackyard"):
                continue
            owners = {normal_name(name) for name in homes.get(module, ())}
            if not owners & known:
                lacking.append(f"{file.relative_to(ROOT)}:{line} {module} ({owners or '?'})")
    assert lacking == []
