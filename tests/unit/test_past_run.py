"""Runs of before, looked into from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackyard import load_run
from stackyard.cli.main import main
from stackyard.errors import UsageError

FLOW = """
from dataclasses import dataclass
from typing import NamedTuple
from stackyard import pipeline, step

@dataclass(frozen=True)
class Score:
    value: int

class Split(NamedTuple):
    train: list[int]
    test: list[int]

@step
def split(size: int) -> Split:
    return Split(list(range(size)), [size])

@step
def score(rows: list[int]) -> Score:
    return Score(sum(rows))

@pipeline
def {name}(size: int = 3) -> None:
    score(split(size).train)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pipelines; ``one`` was run with 3, then with 4, then ``two``."""
    for name in ("STACKYARD_PROJECT", "STACKYARD_STACK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "stacks").mkdir()
    for stack, store in (("local", "here"), ("other", "there")):
        text = f"store: {store}\ncomponents: {{orchestrator: {{flavor: local}}}}\n"
        (tmp_path / f"stacks/{stack}.yaml").write_text(text)
    (tmp_path / "dags").mkdir()
    for name in ("one", "two"):
        (tmp_path / f"dags/{name}.py").write_text(FLOW.format(name=name))
    monkeypatch.chdir(tmp_path)
    for words in (["one"], ["one", "--param", "size=4"], ["two"]):
        assert main(["run", *words]) == 0
    return tmp_path


def test_results_are_loaded_with_the_projects_classes(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "dags" / "below").mkdir()
    monkeypatch.chdir(project / "dags" / "below")
    run = load_run(pipeline="one")
    assert run["split"].train == [0, 1, 2, 3]
    assert run["score"].value == 6
    assert type(run["score"]).__name__ == "Score"
    assert (run.status, run.summary.pipeline) == ("succeeded", "one")


def test_which_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = load_run()
    assert newest.summary.pipeline == "two"
    assert load_run(newest.run_id).run_id == newest.run_id
    with pytest.raises(UsageError, match="there is no run of pipeline 'three'"):
        load_run(pipeline="three")
    with pytest.raises(UsageError, match=r"there is no run in store .*there yet"):
        load_run(stack="other")
    monkeypatch.setenv("STACKYARD_STACK", "other")
    assert main(["run", "one"]) == 0
    assert load_run().summary.stack == "other"


def test_within_a_step_it_is_the_store_of_its_run(project: Path) -> None:
    """Not that of the stack which is used otherwise, nor of the current folder's project."""
    (project / "dags/later.py").write_text(
        "from stackyard import load_run, pipeline, step\n"
        "@step\n"
        "def before(stack: str = '') -> int:\n"
        "    return len(load_run(pipeline='one', stack=stack or None)['split'].train)\n"
        "@pipeline\n"
        "def later(of: str = ''):\n"
        "    before(of)\n"
    )
    assert main(["run", "one", "--param", "size=7", "--stack", "other"]) == 0
    for words, size in ((["--stack", "other"], 7), ([], 4), (["--param", "of=other"], 7)):
        assert main(["run", "later", *words]) == 0
        stack = "other" if "--stack" in words else "local"
        assert load_run(pipeline="later", stack=stack)["before"] == size
