# Made by `stackyard compile flight_features --stack dev`. Do not edit: compile again.
# format: 1
# source: flight_features.py:flight_features

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

DOC = """\
Take in the weather of one day, or of any other period.

Pipeline `flight_features` for stack `dev`, compiled from graph
`109f5cd0441ca54830632f3dd976ef89f3e37935b63eae497ce4c865fe99cbd7`.
"""

# The pipeline as it was compiled. The first step of a run refuses to run another one.
GRAPH = "109f5cd0441ca54830632f3dd976ef89f3e37935b63eae497ce4c865fe99cbd7"

# What every task is told, as environment variables. A step finds the pipeline's code,
# its stack's components and the store from there; Airflow needs none of them.
RUN_ENV = {
    "STACKYARD_PIPELINE": "flight_features",
    "STACKYARD_STACK": "dev",
    "STACKYARD_GRAPH": GRAPH,
    "STACKYARD_RUN": "{{ run_id }}",
    "STACKYARD_TRY": "{{ ti.try_number }}",
    "STACKYARD_PARAMS": "{{ params | tojson }}",
    "STACKYARD_REASON": "{{ dag_run.run_type.replace('scheduled', 'schedule') }}",
    "STACKYARD_PERIOD": (
        "{% if dag_run.data_interval_start %}"
        "{{ dag_run.data_interval_start.astimezone(dag.timezone).isoformat() }}"
        "/"
        "{{ dag_run.data_interval_end.astimezone(dag.timezone).isoformat() }}"
        "{% endif %}"
    ),
}


def command(arguments: str) -> str:
    """Shell command of a step. Its exit code 2 says that no other try can mend it;
    then the command ends with 0 and without a reference: the task is not retried."""
    python = '"${STACKYARD_PYTHON:-python}"'
    return f"{python} -m stackyard.step {arguments} || exit $(($? == 2 ? 0 : $?))"


def reference(line: str) -> dict:
    """What a step prints last: a small reference to its outputs, kept as its XCom."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if isinstance(found, dict) and "run" in found:
        return found
    raise AirflowFailException(line or "the step printed no reference")


def inputs(*steps: str) -> str:
    """Template of the references that upstream steps returned, as a JSON object."""
    pulls = ", ".join(f"'{step}': ti.xcom_pull(task_ids='{step}')" for step in steps)
    return "{{ {" + pulls + "} | tojson }}"


with DAG(
    dag_id="flight_features",
    doc_md=DOC,
    schedule=None,
    start_date=datetime(2013, 1, 1, tzinfo=ZoneInfo("America/New_York")),
    catchup=False,
    tags=["stackyard", "dev"],
    params={
        "period": Param(None, type=["string", "null"], format="period"),
        # What `stackyard run` asks for, e.g. {"resume": "latest", "cache": false}.
        "stackyard": Param({}, type="object"),
    },
    default_args={
        "owner": "stackyard",
        "retries": 0,
        "retry_exponential_backoff": True,
        "append_env": True,
        "output_processor": reference,
    },
) as dag:
    observe = BashOperator(
        task_id="observe",
        doc_md="Read what the airports' weather stations measured within ``period``.",
        bash_command=command("observe"),
        env=RUN_ENV,
        retries=2,
        retry_delay=timedelta(seconds=1),
    )

    validate = BashOperator(
        task_id="validate",
        doc_md="Check ``frame`` against ``suite`` and pass it on; prints what does no…",
        bash_command=command("validate"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("observe")},
    )

    publish = BashOperator(
        task_id="publish",
        doc_md="Define the views and add what was measured to them.",
        bash_command=command("publish"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("validate")},
    )

    refresh = BashOperator(
        task_id="refresh",
        doc_md="Bring the newest measurements to where a server looks them up; return…",
        bash_command=command("refresh"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("publish")},
    )

    compare = BashOperator(
        task_id="compare",
        doc_md="Hold what a server looks up against what training is given; refuse a…",
        bash_command=command("compare"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("validate", "publish", "refresh")},
    )

    # Closes the run's record, whatever became of the steps. As a teardown it always
    # runs and does not count for the state of the DAG run.
    stackyard_finish = BashOperator(
        task_id="stackyard_finish",
        bash_command=command("--finish"),
        env=RUN_ENV,
        retries=2,
        retry_delay=timedelta(seconds=10),
    ).as_teardown()

    observe >> validate
    validate >> publish
    publish >> refresh
    [validate, publish, refresh] >> compare
    [observe, validate, publish, refresh, compare] >> stackyard_finish

if __name__ == "__main__":
    dag.test()
