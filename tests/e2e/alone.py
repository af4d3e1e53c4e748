"""An environment of its own, with Stackyard and what a test installs beside it."""

from __future__ import annotations

import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from stackyard.environments import find_uv
from tests.docs.pages import ROOT, environment


class Alone:
    """A new environment, empty but for Python."""

    def __init__(self, home: Path, env: dict[str, str] | None = None) -> None:
        tool = find_uv()
        assert tool is not None, "uv is not installed"
        self.bin = home / "bin"
        # With bytecode: each of the tests' many processes would compile the tools anew.
        self._env = {"VIRTUAL_ENV": str(home), "PYTHONDONTWRITEBYTECODE": "", **(env or {})}
        self._uv = tool
        self.run(tool, "venv", "-q", str(home))

    def run(self, *words: str, at: Path = ROOT) -> str:
        """Run a program; return what it wrote to its standard output."""
        done = subprocess.run(
            words, cwd=at, env=environment(self._env), capture_output=True, text=True,
            timeout=1400, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
        return done.stdout

    def install(self, *words: str, at: Path = ROOT) -> None:
        """Install as ``uv pip install`` does, with the releases that Stackyard is tried with."""
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
        until = settings["uv"]["exclude-newer"]
        self.run(self._uv, "pip", "install", "-q", "--exclude-newer", until, *words, at=at)

    def test(self, *words: str, at: Path = ROOT) -> dict[str, Counter[str]]:
        """Run pytest; it may fail nothing. Returns each class's outcomes: passed and skipped."""
        report = self.bin.parent / "report.xml"
        python = str(self.bin / "python")
        self.run(
            python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}",
            *words, at=at,
        )  # fmt: skip
        found: dict[str, Counter[str]] = {}
        for case in ElementTree.parse(report).iter("testcase"):
            outcome = "passed" if case.find("skipped") is None else "skipped"
            found.setdefault(case.attrib["classname"], Counter())[outcome] += 1
        return found
