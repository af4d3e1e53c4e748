# Made by `stackyard compile flight_delays --stack dev`. Do not edit: compile again.
# format: 1
# source: flight_delays.py:flight_delays

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

try:  # Airflow 3.2 and newer
    from airflow.sdk import CronDataIntervalTimetable
except ImportError:
    from airflow.timetables.interval import CronDataIntervalTimetable

DOC = """\
Will a flight arrive more than 15 minutes late?

From what is known before departure.

Pipeline `flight_delays` for stack `dev`, compiled from graph
`6377537f9afe239a4ccd1c9e27143196d536ba72314073bd16238b5ceacf4ab3`.
"""

# The pipeline as it was compiled. The first step of a run refuses to run another one.
GRAPH = "6377537f9afe239a4ccd1c9e27143196d536ba72314073bd16238b5ceacf4ab3"

# What every task is told, as environment variables. A step finds the pipeline's code,
# its stack's components and the store from there; Airflow needs none of them.
RUN_ENV = {
    "STACKYARD_PIPELINE": "flight_delays",
    "STACKYARD_STACK": "dev",
    "STACKYARD_GRAPH": GRAPH,
    "OMP_NUM_THREADS": "1",
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
    dag_id="flight_delays",
    doc_md=DOC,
    schedule=CronDataIntervalTimetable("@monthly", timezone="America/New_York"),
    start_date=datetime(2013, 1, 1, tzinfo=ZoneInfo("America/New_York")),
    catchup=False,
    max_active_runs=1,
    tags=["stackyard", "dev", "flights"],
    params={
        "period": Param(None, type=["string", "null"]),
        "depth": Param(6, type="integer", minimum=1, maximum=20),
        # What `stackyard run` asks for, e.g. {"resume": "latest", "cache": false}.
        "stackyard": Param({}, type="object"),
    },
    default_args={
        "owner": "ml",
        "retries": 0,
        "retry_exponential_backoff": True,
        "append_env": True,
        "output_processor": reference,
    },
) as dag:
    load = BashOperator(
        task_id="load",
        doc_md="Read one month of flights.",
        bash_command=command("load"),
        env=RUN_ENV,
        retries=2,
        retry_delay=timedelta(seconds=1),
        execution_timeout=timedelta(seconds=1200),
    )

    check = BashOperator(
        task_id="check",
        bash_command=command("check"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("load")},
    )

    split = BashOperator(
        task_id="split",
        bash_command=command("split"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("load")},
    )

    # Not enforced by a Bash task (use a pool or a queue): cpu=4, memory="8Gi"
    train = BashOperator(
        task_id="train",
        bash_command=command("train"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("split")},
        retries=1,
        retry_delay=timedelta(seconds=0.5),
        pool="training",
        pool_slots=2,
    )

    evaluate = BashOperator(
        task_id="evaluate",
        bash_command=command("evaluate"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("train", "split")},
    )

    register = BashOperator(
        task_id="register",
        bash_command=command("register"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("train", "evaluate", "check")},
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

    load >> check
    [load, check] >> split
    split >> train
    [train, split] >> evaluate
    [train, evaluate, check] >> register
    [load, check, split, train, evaluate, register] >> stackyard_finish

if __name__ == "__main__":
    dag.test()
