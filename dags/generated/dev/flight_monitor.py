# Made by `stackyard compile flight_monitor --stack dev`. Do not edit: compile again.
# format: 1
# source: flight_monitor.py:flight_monitor

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Param

DOC = """\
Compare what was served with the flights that the model learned from; on drift, have an\
other.

    Args:
        period: whose flights the endpoint is asked about.

Pipeline `flight_monitor` for stack `dev`, compiled from graph
`209d0a4426f9570d654e7b81d7942b46ff7f5a5a4690af4e424bcf7fbacc6f49`.
"""

# The pipeline as it was compiled. The first step of a run refuses to run another one.
GRAPH = "209d0a4426f9570d654e7b81d7942b46ff7f5a5a4690af4e424bcf7fbacc6f49"

# What every task is told, as environment variables. A step finds the pipeline's code,
# its stack's components and the store from there; Airflow needs none of them.
RUN_ENV = {
    "STACKYARD_PIPELINE": "flight_monitor",
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
    dag_id="flight_monitor",
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
    in_use = BashOperator(
        task_id="in_use",
        doc_md="A version of model ``name`` that may come into use, with its files.",
        bash_command=command("in_use"),
        env=RUN_ENV,
    )

    learned_from = BashOperator(
        task_id="learned_from",
        doc_md="Whose flights a model learned from, as it was registered.",
        bash_command=command("learned_from"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("in_use")},
    )

    load = BashOperator(
        task_id="load",
        doc_md="Read the flights that were scheduled to leave within ``period``, New…",
        bash_command=command("load"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("learned_from")},
        retries=2,
        retry_delay=timedelta(seconds=1),
    )

    join_weather = BashOperator(
        task_id="join_weather",
        doc_md="Add the weather at the airport as it was known when the hour of depar…",
        bash_command=command("join_weather"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("load")},
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

    usual = BashOperator(
        task_id="usual",
        doc_md="The flights of a model's period, with what it says of those that it d…",
        bash_command=command("usual"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("in_use", "features")},
    )

    flights_of = BashOperator(
        task_id="flights_of",
        doc_md="The flights of a period that arrived, as the model sees them, and whe…",
        bash_command=command("flights_of"),
        env=RUN_ENV,
    )

    served = BashOperator(
        task_id="served",
        doc_md="What the endpoint was asked about these flights and ``version`` answe…",
        bash_command=command("served"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("in_use", "flights_of")},
    )

    monitor = BashOperator(
        task_id="monitor",
        doc_md="Hold what is now against a reference; prints what drifted and what co…",
        bash_command=command("monitor"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("served", "usual")},
    )

    say_why = BashOperator(
        task_id="say_why",
        doc_md="Why it drifted, for whoever waits for it.",
        bash_command=command("say_why"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("monitor")},
    )

    due_flights_drifted = BashOperator(
        task_id="due_flights_drifted",
        doc_md="Decide whether an event is told now; see ``trigger``.",
        bash_command=command("due_flights_drifted"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("monitor")},
    )

    # Skipped unless due_flights_drifted.go is true.
    tell_flights_drifted = BashOperator(
        task_id="tell_flights_drifted",
        doc_md="Tell an event; returns its id.",
        bash_command=command("tell_flights_drifted"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("say_why", "due_flights_drifted")},
        outlets=[Asset("flights.drifted", "stackyard://events/flights.drifted")],
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

    in_use >> learned_from
    learned_from >> load
    load >> join_weather
    join_weather >> split
    split >> features
    [in_use, features] >> usual
    [in_use, flights_of] >> served
    [served, usual] >> monitor
    monitor >> say_why
    monitor >> due_flights_drifted
    [say_why, due_flights_drifted] >> tell_flights_drifted
    [
        in_use,
        learned_from,
        load,
        join_weather,
        split,
        features,
        usual,
        flights_of,
        served,
        monitor,
        say_why,
        due_flights_drifted,
        tell_flights_drifted,
    ] >> stackyard_finish

if __name__ == "__main__":
    dag.test()
