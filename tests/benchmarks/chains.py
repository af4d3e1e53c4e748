"""A project with one chain of steps in three ways: ours, BashOperator by hand, TaskFlow by hand."""

from __future__ import annotations

import sys
from pathlib import Path

STEPS = 10
WAYS = ("ours", "bash", "taskflow")
KINDS = {"trivial": "", "pandas": "    import pandas\n\n"}  # to what a function does first

PIPELINE = """
from stackyard import pipeline, step

import functions


@step(cache=True)
def zero() -> int:
    return functions.zero()


@step
def more(x: int) -> int:
    return functions.{kind}(x)


@pipeline
def {kind}_ours() -> None:
    x = zero()
    for _ in range({further}):
        x = more(x)
"""

SCRIPT = """
import pickle
import sys

sys.path.insert(0, {source!r})
import functions

function, target, *given = sys.argv[1:]
values = []
for name in given:
    with open(name, "rb") as file:
        values.append(pickle.load(file))
result = getattr(functions, function)(*values)
with open(target, "wb") as file:
    pickle.dump(result, file)
"""

BASH = """
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

FOLDER = "{folder}/{{{{ run_id }}}}"

with DAG("{kind}_bash", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    before = BashOperator(
        task_id="zero",
        bash_command=f"mkdir -p {{FOLDER}} && exec {python} {script} zero {{FOLDER}}/0",
    )
    for n in range(1, {steps}):
        step = BashOperator(
            task_id=f"more_{{n}}",
            bash_command=f"exec {python} {script} {kind} {{FOLDER}}/{{n}} {{FOLDER}}/{{n - 1}}",
        )
        before >> step
        before = step
"""

TASKFLOW = """
import sys
from datetime import datetime

from airflow.sdk import dag, task

sys.path.insert(0, {source!r})


@task
def zero():
    import functions

    return functions.zero()


@task
def more(x):
    import functions

    return functions.{kind}(x)


@dag("{kind}_taskflow", schedule=None, start_date=datetime(2026, 1, 1))
def chain():
    x = zero()
    for _ in range({further}):
        x = more(x)


chain()
"""


def project(root: Path, port: int) -> None:
    """The functions, the pipelines, and the DAGs by hand."""
    for name in ("stacks", "src", "dags/generated/dev", "values"):
        (root / name).mkdir(parents=True)
    stack = f"components:\n  orchestrator: {{flavor: airflow, port: {port}, parallelism: 8}}\n"
    (root / "stacks/dev.yaml").write_text(stack)
    functions = ["def zero():\n    return 0\n"]
    functions += [f"def {k}(x):\n{body}    return x + 1\n" for k, body in KINDS.items()]
    (root / "src/functions.py").write_text("\n\n".join(functions))
    source = str(root / "src")
    (root / "script.py").write_text(SCRIPT.format(source=source))
    for kind in KINDS:
        facts = {
            "kind": kind, "further": STEPS - 1, "steps": STEPS, "source": source,
            "folder": str(root / "values"), "python": sys.executable,
            "script": str(root / "script.py"),
        }  # fmt: skip
        (root / f"dags/{kind}_pipeline.py").write_text(PIPELINE.format(**facts))
        for way, text in (("bash", BASH), ("taskflow", TASKFLOW)):
            (root / f"dags/generated/dev/{kind}_{way}.py").write_text(text.format(**facts))
