"""Runs a kind's contract on what ``plugin new`` writes, and on mutants of it.

``tests/mutants/<kind>.py`` has one class for each mutant, derived from the template's component in
``acme_tools``, or with its function. Its docstring says what is broken, ``caught_by`` names the
test that has to fail, and ``configured_by`` is its configuration, where that is what is broken.
With ``caught_by = None`` it is sound, and has a capability that the template does not;
``tested_with`` is what its test class says otherwise than the template's, and ``only``, how the
names of the tests begin that are about it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from stackyard.plugin_points import POINTS
from stackyard.scaffold import Names, plugin_files

HERE = Path(__file__).parent
HARNESS = {
    "contract.py": "test_mutants.py",
    "hooks.py": "conftest.py",
    "plugin.py": "acme_harness.py",
}
NAMES = Names("acme-tools", "acme_tools", "acme", "Acme")


@dataclass(frozen=True)
class Ran:
    """What pytest said: numbers of outcomes, which mutants were caught, and all that it printed."""

    passed: int
    failed: int
    caught: set[str]
    output: str


def run_mutants(kind: str, folder: Path) -> Ran:
    """Run the contract on the template, and of each mutant the test that is meant for it."""
    for name, text in plugin_files(NAMES, [kind]).items():
        path = folder / name.removeprefix("src/").removeprefix("tests/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for source, name in HARNESS.items():
        (folder / name).write_bytes((HERE / "harness" / source).read_bytes())
    (folder / "mutants.py").write_bytes((HERE / f"{kind}.py").read_bytes())
    _install(folder, POINTS[kind].requires)
    environment = {**os.environ, "PYTHONPATH": str(folder), "ACME_KIND": kind}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-ra", "--tb=short", "-p", "no:cacheprovider",
         "--rootdir", str(folder), "--timeout=120", "test_mutants.py"],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=290, check=False,
    )  # fmt: skip
    return _ran(done.stdout + done.stderr)


def _ran(output: str) -> Ran:
    def count(word: str) -> int:
        found = re.search(rf"(\d+) {word}\b", output.splitlines()[-1] if output else "")
        return int(found[1]) if found else 0

    return Ran(
        count("passed"),
        count("failed") + count("errors?"),
        set(re.findall(r"^XFAIL test_mutants.py::Test(\w+)::", output, re.MULTILINE)),
        output,
    )


def _install(folder: Path, requires: tuple[str, ...]) -> None:
    """Install the plugin, and a client that every tool has and no template needs."""
    (folder / "acme_client.py").touch()
    client = _installed(folder, "acme_client", ())
    (client / "top_level.txt").write_text("acme_client\n")
    plugin = _installed(folder, "acme_tools", (*requires, "acme_client"))
    (plugin / "entry_points.txt").write_text("[stackyard.plugins]\nacme-tools = acme_harness\n")


def _installed(folder: Path, name: str, requires: tuple[str, ...]) -> Path:
    made = folder / f"{name}-1.0.dist-info"
    made.mkdir()
    needed = "".join(f"Requires-Dist: {text}\n" for text in requires)
    named = name.replace("_", "-")
    metadata = f"Metadata-Version: 2.1\nName: {named}\nVersion: 1.0\n{needed}"
    (made / "METADATA").write_text(metadata, encoding="utf-8")
    return made
