"""``stackyard_plugins.py`` beside the stack files is a plugin that need not be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard import plugins
from stackyard.errors import UsageError
from stackyard.plugins import Plugins
from stackyard.registry import component_class, faults
from tests.projects import document, enter, stackyard

FILE = "stacks/stackyard_plugins.py"
ACME = """
from dataclasses import dataclass

from stackyard import Tracker, hookimpl
from stackyard.components.tracker import TrackingRun
from stackyard.flavors import Flavor


@dataclass(frozen=True)
class AcmeConfig:
    file: str


class Acme(Tracker):
    def open(self, run, tracking_id):
        return TrackingRun(run.run_id)

    def write(self, tracking_id, entries):
        with (self.context.project / self.config.file).open("a") as file:
            file.writelines(f"{e.key}={e.value}\\n" for e in entries)

    def finish(self, tracking_id, run):
        pass

    def discard(self, tracking_id):
        pass


@hookimpl
def stackyard_flavors():
    here = "stackyard_plugins"
    yield Flavor("tracker", "acme", target=f"{here}:Acme", config=f"{here}:AcmeConfig")
"""
PIPELINE = """
from stackyard import Tracker, from_stack, pipeline, step


@step(timeout="1m")
def train(*, tracker: Tracker = from_stack()) -> int:
    tracker.log_params({"depth": 6})
    return 1


@pipeline
def flow() -> None:
    train()
"""
STACK = """
components:
  orchestrator: {flavor: local}
  tracker: {flavor: acme, file: logged.txt}
"""


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    plugins._load.cache_clear()
    yield
    plugins._load.cache_clear()
    for name in [n for n in sys.modules if n.startswith("stackyard_plugins_")]:
        del sys.modules[name]


def load(folder: Path, code: str) -> Plugins:
    file = folder / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_text(code)
    return plugins.load(file)


def test_it_works_like_an_installed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in a step's own process, which has the run's pinned code."""
    files = {FILE: ACME, "dags/flow.py": PIPELINE, "stacks/local.yaml": STACK}
    enter(tmp_path, monkeypatch, files)
    code, _, said = stackyard("run", "flow")
    assert code == 0, said
    assert (tmp_path / "logged.txt").read_text() == "depth=6\n"
    listed = document("plugin", "list")
    assert {"kind": "tracker", "name": "acme"} in listed["plugins"][-1]["flavors"]
    assert stackyard("plugin", "show", "acme")[0] == 0
    assert stackyard("stack", "check")[0] == 0
    code, out, _ = stackyard("stack", "schema")
    assert code == 0 and '"tracker.acme"' in out


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            "import os\nraise RuntimeError('no')\n",
            "stacks/stackyard_plugins.py:2: RuntimeError: no",
        ),
        ("def broken(:\n", "stacks/stackyard_plugins.py:1: SyntaxError: "),
        ("raise SystemExit(3)\n", "stacks/stackyard_plugins.py:1: SystemExit: 3"),
        (ACME.replace('"tracker"', '"trackr"'), "is of unknown kind 'trackr'"),
        (ACME.replace("stackyard_flavors", "stackyard_flavor"), "unknown hook 'stackyard_flavor'"),
        (ACME.replace("@hookimpl", ""), "function stackyard_flavors is not marked with @hookimpl"),
    ],
)
def test_a_broken_one_is_named_and_hurts_nothing_else(tmp_path: Path, code: str, why: str) -> None:
    found = load(tmp_path, code)
    (broken,) = [b for b in found.broken if b.distribution == "stackyard-plugins"]
    assert why in broken.reason
    assert "stackyard-mlflow" in {p.name for p in found.loaded}


@pytest.mark.parametrize("code", [ACME, "raise OSError\n"])
def test_it_can_be_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """It is not run then, so that what is wrong with it does not show either."""
    monkeypatch.setenv("STACKYARD_DISABLED_PLUGINS", "stackyard_plugins")
    found = load(tmp_path, code)
    seen = {p.name for p in found.loaded} | {b.distribution for b in found.broken}
    assert "stackyard" in seen and "stackyard-plugins" not in seen


def test_each_project_has_its_own(tmp_path: Path) -> None:
    """One process may look at several projects, as a notebook does; none gets another's class."""
    flavors = []
    for name in ("red", "blue"):
        folder = tmp_path / name
        folder.mkdir()
        code = ACME.replace('"acme"', f'"{name}"')
        found = load(folder, f"{code}\nAcme.colour = {name!r}\n")
        flavors.append(found.flavor("tracker", name))
    assert [component_class(flavor).colour for flavor in flavors] == ["red", "blue"]  # type: ignore[attr-defined]


def test_what_it_names_wrongly_is_told_as_it_is_written(tmp_path: Path) -> None:
    found = load(tmp_path, ACME.replace('{here}:Acme"', '{here}:Gone"'))
    (said, *_) = [text for plugin in found.loaded for text in faults(plugin)]
    assert "importing stackyard_plugins:Gone failed" in said
    assert "stackyard_plugins_" not in said


def test_it_is_loaded_once_however_it_is_asked_for(tmp_path: Path) -> None:
    found = load(tmp_path, ACME)
    assert plugins.load(tmp_path / FILE, None) is plugins.load(file=tmp_path / FILE) is found


def test_a_project_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STACKYARD_PROJECT", "no/such/folder")
    with pytest.raises(UsageError, match="STACKYARD_PROJECT: 'no/such/folder' is no folder"):
        plugins.load_here()
