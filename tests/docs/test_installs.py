"""What the pages say to install is enough for their example project and for the tool itself."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from stackyard.environments import find_uv
from tests.docs.pages import DOCS, ROOT, environment

LINE = re.compile(r"`(uv pip install \./stackyard[^`]*)`")
PAGES = {
    page.stem: found[1]
    for page in sorted((DOCS / "how-to").glob("*.md"))
    if (found := LINE.search(page.read_text(encoding="utf-8")))
}
TOOLS = {  # what a plugin imports of its tool
    "bentoml": "bentoml",
    "dvc": "dvc.api",
    "evidently": "evidently",
    "feast": "feast",
    "great-expectations": "great_expectations",
    "kserve": "kubernetes",
    "mlflow": "mlflow",
}


def test_every_plugin_of_a_page_is_installed_by_one() -> None:
    assert {name for line in PAGES.values() for name in TOOLS if f"/{name}" in line} == {*TOOLS}


@pytest.mark.full
@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_installs_is_enough(page: str, tmp_path: Path) -> None:
    """In an environment of its own, with the newest versions that fit."""
    tool = find_uv()
    assert tool is not None, "uv is not installed"
    (tmp_path / "stackyard").symlink_to(ROOT)
    home = tmp_path / "env"
    env = environment({"VIRTUAL_ENV": str(home)})

    def run(*words: str, at: Path = tmp_path) -> None:
        done = subprocess.run(words, cwd=at, env=env, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"

    run(tool, "venv", "-q", str(home))
    run(tool, *shlex.split(PAGES[page])[1:])
    for name, module in TOOLS.items():
        if f"/plugins/{name}" in PAGES[page]:
            run(str(home / "bin/python"), "-c", f"import {module}")
    run(str(home / "bin/stackyard"), "init", "iris")
    run(str(home / "bin/stackyard"), "run", "iris", at=tmp_path / "iris")
