"""A task's process refuses an environment that no orchestrator of ours writes, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.e2e.conftest import Place, environment

PIPELINE = """
    from stackyard import pipeline, step

    @step
    def one() -> int:
        return 1

    @step
    def two(x: int) -> int:
        return x + 1

    @pipeline
    def chain() -> None:
        two(one())
"""


def task(
    place: Place, name: str, cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    given = {
        "STACKYARD_PIPELINE": "chain",
        "STACKYARD_STACK": "local",
        "STACKYARD_RUN": "manual__1",
        "STACKYARD_PROJECT": str(place.root),
        **env,
    }
    return subprocess.run(
        [sys.executable, "-m", "stackyard.step", name],
        cwd=cwd or place.root, env=environment(given), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"STACKYARD_PARAMS": "{bad"}, "STACKYARD_PARAMS"),
        ({"STACKYARD_PARAMS": "[1]"}, "STACKYARD_PARAMS"),
        ({"STACKYARD_TRY": "one"}, "STACKYARD_TRY"),
        ({"STACKYARD_PIPELINE": ""}, "STACKYARD_PIPELINE"),
        ({"STACKYARD_PROJECT": "/nowhere"}, "/nowhere"),
        ({"STACKYARD_GRAPH": "0" * 64}, "compile"),
        ({"STACKYARD_PERIOD": "soon", "STACKYARD_PARAMS": '{"depth": 1}'}, "depth"),
    ],
)
def test_a_wrong_environment(place: Place, env: dict[str, str], says: str) -> None:
    place.write("dags/chain.py", PIPELINE)
    done = task(place, "one", **env)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert says in done.stderr


@pytest.mark.parametrize(
    "inputs", ["nonsense", '{"one": null}', '{"one": {"attempt": 1}}', '{"one": "x"}']
)
def test_wrong_inputs(place: Place, inputs: str) -> None:
    place.write("dags/chain.py", PIPELINE)
    assert task(place, "one").returncode == 0
    done = task(place, "two", STACKYARD_INPUTS=inputs)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "STACKYARD_INPUTS" in done.stderr


def test_a_task_runs_in_the_folder_of_its_project(place: Place, tmp_path: Path) -> None:
    place.write("data.txt", "here")
    place.write(
        "dags/chain.py",
        PIPELINE.replace("return 1", "return len(open('data.txt').read())"),
    )
    done = task(place, "one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_further_task_starts_cheaply_and_runs_its_step_as_usual(place: Place) -> None:
    look = "__import__('gc').isenabled(), sorted({'yaml', 'tarfile', 'bz2'} & {*sys.modules})"
    place.write(
        "dags/chain.py",
        PIPELINE.replace("return x + 1", f"import sys; print({look}); return x + 1"),
    )
    first = task(place, "one")
    reference = first.stdout.splitlines()[-1]
    done = task(place, "two", STACKYARD_INPUTS=f'{{"one": {reference}}}')
    assert done.returncode == 0, done.stderr
    assert "True []" in done.stderr.splitlines()


def test_what_a_task_compiles_lies_outside_of_its_code(place: Place) -> None:
    """In the code it could be replaced by what nobody compares with the source."""
    place.write("dags/chain.py", PIPELINE)
    done = task(place, "one", PYTHONDONTWRITEBYTECODE="")
    assert done.returncode == 0, done.stderr
    (bundles,) = (place.root / ".stackyard/cache").glob("bundles*")
    (made,) = bundles.rglob("*.pyc")
    assert made.is_relative_to(next(bundles.glob("*.bytecode")))


def test_a_secret_in_an_error_of_a_worker_is_not_told(place: Place) -> None:
    place.write(
        "stacks/local.yaml",
        """
        components:
          orchestrator: {flavor: local}
        resources:
          house: {class: "leaky:House", dsn: "${secret:LEAKY}"}
        """,
    )
    place.write(
        "dags/leaky.py",
        """
        from dataclasses import dataclass
        from stackyard import Resource, Secret, from_stack, pipeline, step
        from stackyard.errors import UsageError

        @dataclass(frozen=True)
        class House(Resource):
            dsn: Secret

        @step(timeout="30s")
        def ask(*, house: House = from_stack()) -> str:
            raise UsageError(f"cannot reach {house.dsn.reveal()}")

        @pipeline
        def leaky() -> None:
            ask()
        """,
    )
    done = place.run("run", "leaky", env={"LEAKY": "s3cr3t-value"}, check=False)
    assert done.returncode == 2
    assert "s3cr3t-value" not in done.stdout + done.stderr
    records = [p.read_text() for p in (place.root / ".stackyard" / "store").rglob("*.json")]
    assert any("cannot reach ***" in text for text in records)
    assert not any("s3cr3t-value" in text for text in records)


@pytest.mark.parametrize(("kind", "code"), [("StepFailed", 2), ("ValueError", 1)])
def test_its_exit_code_says_whether_another_try_may_help(
    place: Place, kind: str, code: int
) -> None:
    raising = PIPELINE.replace("return 1", f"raise {kind}('no data')")
    place.write("dags/chain.py", "from stackyard.errors import StepFailed\n" + dedent(raising))
    done = task(place, "one")
    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == f"{kind}: no data"


def test_beside_a_step_that_runs_alone_nothing_runs(place: Place) -> None:
    """Where all tasks are started, as on Airflow: the others answer with what is there."""
    effect = PIPELINE.replace("@step\n    def two", "@step(effect=True)\n    def two")
    place.write("dags/chain.py", effect.replace("return 1", "import time; return time.time_ns()"))
    begun = [task(place, name) for name in ("one", "--finish")]
    previous = json.loads(begun[0].stdout)["run"]
    asked = json.dumps({"stackyard": {"only": "one", "resume": previous}})
    again = {"STACKYARD_RUN": "manual__2", "STACKYARD_PARAMS": asked}
    one = task(place, "one", **again)
    assert json.loads(one.stdout)["status"] == "succeeded"
    two = task(place, "two", **again, STACKYARD_INPUTS=f'{{"one": {one.stdout.splitlines()[-1]}}}')
    assert (two.returncode, two.stdout) == (99, "")
    asked = asked.replace('"only": "one"', '"only": "two"')
    other = {"STACKYARD_RUN": "manual__3", "STACKYARD_PARAMS": asked}
    known = task(place, "one", **other)
    assert json.loads(known.stdout)["run"] == previous
    assert json.loads(known.stdout)["status"] == "cached"
    two = task(
        place, "two", **other, STACKYARD_INPUTS=f'{{"one": {known.stdout.splitlines()[-1]}}}'
    )
    assert json.loads(two.stdout)["status"] == "succeeded"
