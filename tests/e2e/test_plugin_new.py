"""What ``plugin new`` writes: nothing but what it declares is installed, and its tests pass."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from stackyard.plugin_points import POINTS
from tests.docs.pages import ROOT
from tests.e2e.alone import Alone

# The folder's name, what names its flavor, and what it adds.
WRITTEN = {f"acme-{name.replace('_', '-')}": ("acme", [name]) for name in POINTS}
WRITTEN["acme-tools"] = ("acme-tools", [*POINTS])


def imported(source: Path) -> set[str]:
    """What the modules of a folder import, wherever in them."""
    found: set[str] = set()
    for file in source.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
    return found


@pytest.mark.full
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", WRITTEN)
def test_it_installs_keeps_its_contracts_and_is_found(name: str, tmp_path: Path) -> None:
    flavor, points = WRITTEN[name]
    alone = Alone(tmp_path / "env")
    alone.install(str(ROOT))
    command = str(alone.bin / "stackyard")
    kinds = [word for point in points for word in ("--kind", point.replace("_", "-"))]
    alone.run(command, "plugin", "new", name, *kinds, at=tmp_path)
    folder = tmp_path / name
    alone.install(".", at=folder)
    modules = ", ".join(sorted(imported(folder / "src")))
    alone.run(str(alone.bin / "python"), "-c", f"import {modules}")

    alone.install(".[test]", at=folder)
    tested = alone.test(at=folder)
    assert {outcome.rpartition(".")[0] for outcome in tested} == {
        f"tests.test_{point}" for point in points
    }
    for count in tested.values():
        assert count["passed"] > max(count["skipped"], 5)

    listed = json.loads(alone.run(command, "plugin", "list", "--json", at=tmp_path))
    assert (listed["broken"], listed["faults"], listed["duplicates"]) == ([], [], [])
    (found,) = [plugin for plugin in listed["plugins"] if plugin["name"] == name]
    offered = {point: [flavor] for point in points}
    assert found["formats"] == offered.pop("format", [])
    assert found["secret_providers"] == offered.pop("secret_provider", [])
    offered.pop("resource", None)  # a stack names its class
    assert found["flavors"] == [{"kind": kind, "name": flavor} for kind in offered]
