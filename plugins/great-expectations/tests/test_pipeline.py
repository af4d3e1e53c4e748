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

from stackyard_great_expectations.validator import GreatExpectationsValidator
from tests.projects import document, enter, stackyard, statuses

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
    files = {
        "dags/flights.py": PIPELINE,
        "dags/flights.suite.yaml": SUITE,
        "stacks/local.yaml": STACK,
    }
    return enter(tmp_path, monkeypatch, files)


def ran(*words: str) -> dict[str, str]:
    """What became of each step of a run."""
    return statuses(document("run", "flights", *words))


def test_a_run_stops_at_a_critical_failure(project: Path) -> None:
    """The step is cached, sees another suite and other data, and says what is wrong."""
    first = {"load": "succeeded", "validate": "succeeded", "count": "succeeded"}
    assert ran() == first
    assert ran() == dict.fromkeys(first, "cached")
    suite = project / "dags/flights.suite.yaml"
    suite.write_text(SUITE.replace("max_value: 50", "max_value: 1"))
    changed = ran()
    assert changed == {"load": "cached", "validate": "succeeded", "count": "cached"}
    _, shown, _ = stackyard("runs", "show", "latest")
    assert "1 of 2 expectations hold on 200 rows" in shown

    code, _, said = stackyard("run", "flights", "--param", "nulls=7")
    assert code == 1
    assert "expect_column_values_to_not_be_null(carrier) 7 of 200 (3.5 %)" in said
    assert "Traceback" not in said
    _, shown, _ = stackyard("runs", "show", "latest")
    assert "ValidationFailed: suite 'flights': of 2 expectations 1 failed on 200 rows" in shown
    assert "fail     critical  expect_column_values_to_not_be_null" in shown
    assert "flights  failed" in shown

    suite.write_text(SUITE.replace("not_be_null", "not_be_nul"))
    code, _, said = stackyard("run", "flights")
    assert code == 1
    assert "Did you mean 'expect_column_values_to_not_be_null'?" in said
    suite.write_text(SUITE.replace("warning", "warn"))
    code, _, said = stackyard("run", "flights")
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


def test_bounds_are_learned_from_runs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of runs that succeeded on different data; the file is reviewed, and never lost."""
    for seed in (0, 0, 1, 2, 3, 4):
        ran("--param", f"seed={seed}")
    ran("--only", "load")  # has nothing to learn from
    assert stackyard("run", "flights", "--param", "nulls=9")[0] == 1
    learn = ("validate", "learn", "flights")
    code, out, said = stackyard(*learn, "--runs", "4", "--false-alarms", "0.05")
    assert (code, said) == (0, "")
    assert "4 runs: rows mean 202.5" in out  # the newest four
    code, _, said = stackyard(*learn, "--out", "x.suite.yaml")
    assert code == 0
    assert "asked for 12 runs, and there are 5 with different data among the 6" in said
    written = (project / "x.suite.yaml").read_text()
    assert "name: flights" in written
    assert "5 runs" in written

    words = (*learn, "--runs", "3", "--out", "x.suite.yaml")
    code, _, said = stackyard(*words)
    assert code == 2
    assert "--- x.suite.yaml" in said
    assert "--force" in said
    assert (project / "x.suite.yaml").read_text() == written
    code, _, said = stackyard(*words, "--force")
    assert (code, "--- x.suite.yaml" in said) == (0, True)
    assert "3 runs" in (project / "x.suite.yaml").read_text()
    code, _, said = stackyard(*words)
    assert (code, said) == (0, "")

    given: list[int] = []
    real = GreatExpectationsValidator.learn

    def spy(self: Any, history: Any, *args: Any, **more: Any) -> Any:
        frames = list(history)
        given[:] = [len(frame) for frame in frames]
        return real(self, frames, *args, **more)

    monkeypatch.setattr(GreatExpectationsValidator, "learn", spy)
    stackyard(*learn, "--runs", "4")
    assert given == [201, 202, 203, 204]  # oldest first
    newest = document("runs", "list")["runs"][2]["run_id"]  # before those two
    Path(document("artifact", "show", f"{newest}:load")["path"]).unlink()
    _, _, said = stackyard(*learn, "--runs", "5")
    assert "there are 4 with different data" in said
    assert given == [200, 201, 202, 203]

    for wrong, hint in (
        (("flight",), "Did you mean 'flights'?"),
        (("flights", "--step", "vlidate"), "Did you mean 'validate'?"),
        (("flights", "--step", "validate.rows"), "validate.frame"),
        (("flights", "--step", "load"), "There are: none"),
        (("flights", "--false-alarms", "5"), "no probability"),
    ):
        code, _, said = stackyard("validate", "learn", *wrong)
        assert (code, hint in said) == (2, True), said


def test_a_file_is_profiled_and_checked(project: Path) -> None:
    """A proposal goes into a file; the same data passes it and other data does not."""
    frame = pd.DataFrame({"carrier": ["UA", "DL"] * 50, "delay": range(100)})
    frame.to_parquet("a.parquet")
    frame.assign(carrier=None).to_csv("b.csv", index=False)
    code, out, _ = stackyard("validate", "profile", "a.parquet", "--out", "a.suite.yaml")
    assert (code, out) == (0, "a.suite.yaml  7 expectations\n")
    assert "name: a\n" in (project / "a.suite.yaml").read_text()
    code, out, _ = stackyard("validate", "run", "a.parquet", "a.suite.yaml")
    assert (code, out) == (0, "suite 'a' on 100 rows: 7 pass, 0 fail, 0 error\n")
    code, out, said = stackyard("validate", "run", "b.csv", "a.suite.yaml")
    assert code == 1
    assert "100 of 100 (100 %)" in out
    assert said == "error: b.csv, suite 'a': 2 of 7 expectations did not pass (2 critical)\n"
    failed = document("validate", "run", "b.csv", "a.suite.yaml", code=1)
    assert (failed["passed"], len(failed["checks"])) == (False, 7)
    proposed = document("validate", "profile", "a.parquet", "--name", "b")
    assert proposed["suite"]["name"] == "b"
    code, _, said = stackyard("validate", "run", "a.suite.yaml", "a.parquet")
    assert (code, said) == (
        2,
        "error: a.parquet is a table, and stands where the suite belongs. Write: "
        "stackyard validate run a.parquet a.suite.yaml\n",
    )
    (project / "bad.parquet").write_text("nonsense")
    for file in ("none.csv", "bad.parquet", "a.suite.yaml"):
        code, _, said = stackyard("validate", "profile", file)
        assert (code, said.startswith(f"error: {file}: ")) == (2, True)


def test_a_named_validator_is_asked(project: Path) -> None:
    """By ``--component``; the stack may have no other."""
    named = STACK.replace("validator:", "validator.strict:")
    (project / "stacks/local.yaml").write_text(named)
    pd.DataFrame({"carrier": ["UA"], "delay": [1.0]}).to_csv("a.csv", index=False)
    words = ("validate", "run", "a.csv", "dags/flights.suite.yaml")
    code, _, said = stackyard(*words)
    assert (code, "validator.strict" in said) == (2, True), said
    code, out, _ = stackyard(*words, "--component", "validator.strict")
    assert (code, out) == (0, "suite 'flights' on 1 row: 2 pass, 0 fail, 0 error\n")
    for command in (("profile", "a.csv"), ("learn", "flights"), words[1:]):
        code, _, said = stackyard("validate", *command, "--component", "tracker.x")
        assert code == 2
        assert "--component tracker.x: is no validator. Write validator.NAME" in said
