"""The step ``validate`` in runs, and the command ``validate``, on a project with the real tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stackyard.cli.main import main
from stackyard_great_expectations.validator import GreatExpectationsValidator

PIPELINE = """
from pathlib import Path

import numpy as np
import pandas as pd
from stackyard import pipeline, read_suite, step, validate

SUITE = read_suite(Path(__file__).with_name("flights.suite.yaml"))


@step(cache=True)
def load(seed: int = 0, nulls: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = 200 + seed % 7
    frame = pd.DataFrame({"carrier": random.choice(["UA", "DL"], rows)})
    frame["delay"] = random.normal(10, 3, rows)
    frame.loc[: nulls - 1, "carrier"] = None
    return frame


@step
def count(rows: pd.DataFrame) -> int:
    return len(rows)


@pipeline
def flights(seed: int = 0, nulls: int = 0):
    count(validate(load(seed, nulls), SUITE))
"""

SUITE = """\
name: flights
expectations:
- type: expect_column_values_to_not_be_null
  kwargs: {column: carrier}
- type: expect_column_values_to_be_between
  kwargs: {column: delay, min_value: -50, max_value: 50}
  severity: warning
"""

STACK = """\
components:
  orchestrator: {flavor: local}
  validator: {flavor: great_expectations}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, in whose folder commands are run."""
    for name, text in (
        ("dags/flights.py", PIPELINE),
        ("dags/flights.suite.yaml", SUITE),
        ("stacks/local.yaml", STACK),
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in [n for n in os.environ if n.startswith("STACKYARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "flights", raising=False)
    return tmp_path


def stackyard(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    sys.modules.pop("flights", None)
    code = main(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def statuses(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    """What became of each step of a run."""
    _, out, _ = stackyard(capsys, "run", "flights", "--json", *words)
    return {s["name"]: s["status"] for s in json.loads(out)["steps"]}


def test_a_run_stops_at_a_critical_failure(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The step is cached, sees another suite and other data, and says what is wrong."""
    ran = {"load": "succeeded", "validate": "succeeded", "count": "succeeded"}
    assert statuses(capsys) == ran
    assert statuses(capsys) == dict.fromkeys(ran, "cached")
    suite = project / "dags/flights.suite.yaml"
    suite.write_text(SUITE.replace("max_value: 50", "max_value: 1"))
    changed = statuses(capsys)
    assert changed == {"load": "cached", "validate": "succeeded", "count": "cached"}
    _, shown, _ = stackyard(capsys, "runs", "show", "latest")
    assert "1 of 2 expectations hold on 200 rows" in shown

    code, _, said = stackyard(capsys, "run", "flights", "--param", "nulls=7")
    assert code == 1
    assert "expect_column_values_to_not_be_null(carrier) 7 of 200 (3.5 %)" in said
    assert "Traceback" not in said
    _, shown, _ = stackyard(capsys, "runs", "show", "latest")
    assert "ValidationFailed: suite 'flights': of 2 expectations 1 failed on 200 rows" in shown
    assert "fail     critical  expect_column_values_to_not_be_null" in shown
    assert "flights  failed" in shown

    suite.write_text(SUITE.replace("not_be_null", "not_be_nul"))
    code, _, said = stackyard(capsys, "run", "flights")
    assert code == 1
    assert "Did you mean 'expect_column_values_to_not_be_null'?" in said
    suite.write_text(SUITE.replace("warning", "warn"))
    code, _, said = stackyard(capsys, "run", "flights")
    assert code == 2
    assert "flights.suite.yaml:7:13" in said


def test_a_task_of_its_own_process(project: Path) -> None:
    """As an orchestrator runs it; the last line is the reference, and nothing else is printed."""
    done = None
    references: dict[str, Any] = {}
    for name in ("load", "validate"):
        env = {
            **os.environ,
            "STACKYARD_PIPELINE": "flights",
            "STACKYARD_STACK": "local",
            "STACKYARD_RUN": "manual__1",
            "STACKYARD_PROJECT": str(project),
            "STACKYARD_INPUTS": json.dumps(references),
        }
        words = [sys.executable, "-m", "stackyard.step", name]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        references = {name: json.loads(done.stdout)}
    assert done is not None
    head, *rest = done.stderr.splitlines()
    assert head == "suite 'flights' on 200 rows: 2 pass, 0 fail, 0 error"
    assert [line.partition(":")[0] for line in rest] == ["validate"]


def test_bounds_are_learned_from_runs(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of runs that succeeded on different data; the file is reviewed, and never lost."""
    for seed in (0, 0, 1, 2, 3, 4):
        assert main(["run", "flights", "--param", f"seed={seed}"]) == 0
        sys.modules.pop("flights", None)
    assert main(["run", "flights", "--only", "load"]) == 0  # has nothing to learn from
    assert main(["run", "flights", "--param", "nulls=9"]) == 1
    capsys.readouterr()
    code, out, said = stackyard(
        capsys, "validate", "learn", "flights", "--runs", "4", "--false-alarms", "0.05"
    )
    assert (code, said) == (0, "")
    assert "4 runs: rows mean 202.5" in out  # the newest four
    code, _, said = stackyard(capsys, "validate", "learn", "flights", "--out", "x.suite.yaml")
    assert code == 0
    assert "asked for 12 runs, and there are 5 with different data among the 6" in said
    written = (project / "x.suite.yaml").read_text()
    assert "name: flights" in written
    assert "5 runs" in written

    words = ("validate", "learn", "flights", "--runs", "3", "--out", "x.suite.yaml")
    code, _, said = stackyard(capsys, *words)
    assert code == 2
    assert "--- x.suite.yaml" in said
    assert "--force" in said
    assert (project / "x.suite.yaml").read_text() == written
    code, _, said = stackyard(capsys, *words, "--force")
    assert (code, "--- x.suite.yaml" in said) == (0, True)
    assert "3 runs" in (project / "x.suite.yaml").read_text()
    code, _, said = stackyard(capsys, *words)
    assert (code, said) == (0, "")

    given: list[int] = []
    learn = GreatExpectationsValidator.learn

    def spy(self: Any, history: Any, *args: Any, **more: Any) -> Any:
        frames = list(history)
        given[:] = [len(frame) for frame in frames]
        return learn(self, frames, *args, **more)

    monkeypatch.setattr(GreatExpectationsValidator, "learn", spy)
    stackyard(capsys, "validate", "learn", "flights", "--runs", "4")
    assert given == [201, 202, 203, 204]  # oldest first
    _, out, _ = stackyard(capsys, "runs", "list", "--json")
    newest = json.loads(out)["runs"][2]["run_id"]  # before those two
    _, out, _ = stackyard(capsys, "artifact", "show", f"{newest}:load", "--json")
    Path(json.loads(out)["path"]).unlink()
    _, _, said = stackyard(capsys, "validate", "learn", "flights", "--runs", "5")
    assert "there are 4 with different data" in said
    assert given == [200, 201, 202, 203]

    for wrong, hint in (
        (("flight",), "Did you mean 'flights'?"),
        (("flights", "--step", "vlidate"), "Did you mean 'validate'?"),
        (("flights", "--step", "validate.rows"), "validate.frame"),
        (("flights", "--step", "load"), "There are: none"),
        (("flights", "--false-alarms", "5"), "no probability"),
    ):
        code, _, said = stackyard(capsys, "validate", "learn", *wrong)
        assert (code, hint in said) == (2, True), said


def test_a_file_is_profiled_and_checked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A proposal goes into a file; the same data passes it and other data does not."""
    frame = pd.DataFrame({"carrier": ["UA", "DL"] * 50, "delay": range(100)})
    frame.to_parquet("a.parquet")
    frame.assign(carrier=None).to_csv("b.csv", index=False)
    code, out, _ = stackyard(capsys, "validate", "profile", "a.parquet", "--out", "a.suite.yaml")
    assert (code, out) == (0, "a.suite.yaml  7 expectations\n")
    assert "name: a\n" in (project / "a.suite.yaml").read_text()
    code, out, _ = stackyard(capsys, "validate", "run", "a.parquet", "a.suite.yaml")
    assert (code, out) == (0, "suite 'a' on 100 rows: 7 pass, 0 fail, 0 error\n")
    code, out, said = stackyard(capsys, "validate", "run", "b.csv", "a.suite.yaml")
    assert code == 1
    assert "100 of 100 (100 %)" in out
    assert said == "error: b.csv, suite 'a': 2 of 7 expectations did not pass (2 critical)\n"
    code, out, _ = stackyard(capsys, "validate", "run", "b.csv", "a.suite.yaml", "--json")
    assert (code, json.loads(out)["passed"], len(json.loads(out)["checks"])) == (1, False, 7)
    code, out, _ = stackyard(capsys, "validate", "profile", "a.parquet", "--name", "b", "--json")
    assert (code, json.loads(out)["suite"]["name"]) == (0, "b")
    code, _, said = stackyard(capsys, "validate", "run", "a.suite.yaml", "a.parquet")
    assert (code, said) == (
        2,
        "error: a.parquet is a table, and stands where the suite belongs. Write: "
        "stackyard validate run a.parquet a.suite.yaml\n",
    )
    (project / "bad.parquet").write_text("nonsense")
    for file in ("none.csv", "bad.parquet", "a.suite.yaml"):
        code, _, said = stackyard(capsys, "validate", "profile", file)
        assert (code, said.startswith(f"error: {file}: ")) == (2, True)


def test_a_named_validator_is_asked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By ``--component``; the stack may have no other."""
    named = STACK.replace("validator:", "validator.strict:")
    (project / "stacks/local.yaml").write_text(named)
    pd.DataFrame({"carrier": ["UA"], "delay": [1.0]}).to_csv("a.csv", index=False)
    words = ("validate", "run", "a.csv", "dags/flights.suite.yaml")
    code, _, said = stackyard(capsys, *words)
    assert (code, "validator.strict" in said) == (2, True), said
    code, out, _ = stackyard(capsys, *words, "--component", "validator.strict")
    assert (code, out) == (0, "suite 'flights' on 1 row: 2 pass, 0 fail, 0 error\n")
    for command in (("profile", "a.csv"), ("learn", "flights"), words[1:]):
        code, _, said = stackyard(capsys, "validate", *command, "--component", "tracker.x")
        assert code == 2
        assert "--component tracker.x: is no validator. Write validator.NAME" in said
