# ruff: noqa: E501
# Made by `stackyard compile flight_delays --stack dev`. Do not edit: compile again.
# format: 1
# source: flight_delays.py:flight_delays

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Param

DOC = """\
Learn from one month of flights which ones arrive late; also when flights have drifted.

Pipeline `flight_delays` for stack `dev`, compiled from graph
`916e5eb9d2ca5641bb29b97bb1867dbdc42f81e74bd6610194d5cec02ba71e42`.
"""

# The pipeline as it was compiled. The first step of a run refuses to run another one.
GRAPH = "916e5eb9d2ca5641bb29b97bb1867dbdc42f81e74bd6610194d5cec02ba71e42"

# What every task is told, as environment variables. A step finds the pipeline's code,
# its stack's components and the store from there; Airflow needs none of them.
RUN_ENV = {
    "STACKYARD_PIPELINE": "flight_delays",
    "STACKYARD_STACK": "dev",
    "STACKYARD_GRAPH": GRAPH,
    "STACKYARD_RUN": "{{ run_id }}",
    "STACKYARD_TRY": "{{ ti.try_number }}",
    "STACKYARD_PARAMS": "{{ params | tojson }}",
    "STACKYARD_REASON": "{{ dag_run.run_type.replace('scheduled', 'schedule').replace('asset_triggered', 'event') }}",
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
    schedule=[Asset("flights.drifted", "stackyard://events/flights.drifted")],
    start_date=datetime(2013, 1, 1, tzinfo=ZoneInfo("America/New_York")),
    catchup=False,
    is_paused_upon_creation=False,  # it runs when the event is told, and not by itself
    tags=["stackyard", "dev"],
    params={
        "period": Param(None, type=["string", "null"], format="period"),
        "depth": Param(6, type="integer"),
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
    load = BashOperator(
        task_id="load",
        doc_md="Read the flights that were scheduled to leave within ``period``, New…",
        bash_command=command("load"),
        env=RUN_ENV,
        retries=2,
        retry_delay=timedelta(seconds=1),
    )

    keep = BashOperator(
        task_id="keep",
        doc_md="Make the flights as they came a version, also in the archive if the s…",
        bash_command=command("keep"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("load")},
    )

    validate = BashOperator(
        task_id="validate",
        doc_md="Check ``frame`` against ``suite`` and pass it on; prints what does no…",
        bash_command=command("validate"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("load")},
    )

    join_weather = BashOperator(
        task_id="join_weather",
        doc_md="Add the weather at the airport as it was known when the hour of depar…",
        bash_command=command("join_weather"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("validate")},
    )

    split = BashOperator(
        task_id="split",
        doc_md="Cut by day, so that a model is judged by days that it has not seen.",
        bash_command=command("split"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("join_weather")},
    )

    features = BashOperator(
        task_id="features",
        doc_md="Keep what is known before departure, and the answer.",
        bash_command=command("features"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("split")},
    )

    # Not enforced by a Bash task (use a pool or a queue): cpu=2
    train = BashOperator(
        task_id="train",
        doc_md="Fit boosted trees that give the probability of being late.",
        bash_command=command("train"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("features")},
    )

    evaluate = BashOperator(
        task_id="evaluate",
        doc_md="Measure the model on unseen days, beside a forecast that always gives…",
        bash_command=command("evaluate"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("train", "features")},
    )

    register = BashOperator(
        task_id="register",
        doc_md="Add the model to the registry as the newest candidate, and of which p…",
        bash_command=command("register"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("train", "features", "evaluate")},
    )

    say = BashOperator(
        task_id="say",
        doc_md="What was learned, for whoever waits for it.",
        bash_command=command("say"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("register", "evaluate")},
    )

    due_flights_learned = BashOperator(
        task_id="due_flights_learned",
        doc_md="Decide whether an event is told now; see ``trigger``.",
        bash_command=command("due_flights_learned"),
        env=RUN_ENV,
    )

    # Skipped unless due_flights_learned.go is true.
    tell_flights_learned = BashOperator(
        task_id="tell_flights_learned",
        doc_md="Tell an event; returns its id.",
        bash_command=command("tell_flights_learned"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("say", "due_flights_learned")},
        outlets=[Asset("flights.learned", "stackyard://events/flights.learned")],
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

    load >> keep
    load >> validate
    validate >> join_weather
    join_weather >> split
    split >> features
    features >> train
    [train, features] >> evaluate
    [train, features, evaluate] >> register
    [register, evaluate] >> say
    [say, due_flights_learned] >> tell_flights_learned
    [
        load,
        keep,
        validate,
        join_weather,
        split,
        features,
        train,
        evaluate,
        register,
        say,
        due_flights_learned,
        tell_flights_learned,
    ] >> stackyard_finish

if __name__ == "__main__":
    dag.test()
