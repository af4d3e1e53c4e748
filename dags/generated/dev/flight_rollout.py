# ruff: noqa: E501
# Made by `stackyard compile flight_rollout --stack dev`. Do not edit: compile again.
# format: 1
# source: flight_rollout.py:flight_rollout

import json
from datetime import timedelta

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Param

DOC = """\
Put the model learned from ``period`` into use, if it is better and its users agree.

    Args:
        period: whose flights it was learned from; the last days of it are the gate's.
        version: of the model; by default the candidate.
        asked: when the flights leave that users ask about; by default the gate's days.

Pipeline `flight_rollout` for stack `dev`, compiled from graph
`32b0bc01a1865a6f40562bf9651399769d7468fd41ee3b90ec391130abb8e1d1`.
"""

# The pipeline as it was compiled. The first step of a run refuses to run another one.
GRAPH = "32b0bc01a1865a6f40562bf9651399769d7468fd41ee3b90ec391130abb8e1d1"

# What every task is told, as environment variables. A step finds the pipeline's code,
# its stack's components and the store from there; Airflow needs none of them.
RUN_ENV = {
    "STACKYARD_PIPELINE": "flight_rollout",
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
    dag_id="flight_rollout",
    doc_md=DOC,
    schedule=[Asset("flights.learned", "stackyard://events/flights.learned")],
    catchup=False,
    is_paused_upon_creation=False,  # it runs when the event is told, and not by itself
    max_active_runs=1,
    tags=["stackyard", "dev"],
    params={
        "period": Param(None, type=["string", "null"], format="period"),
        "version": Param("", type="string"),
        "asked": Param(None, type=["string", "null"], format="period"),
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

    candidate = BashOperator(
        task_id="candidate",
        doc_md="A version of model ``name`` that may come into use, with its files.",
        bash_command=command("candidate"),
        env=RUN_ENV,
    )

    champion = BashOperator(
        task_id="champion",
        doc_md="The version of model ``name`` that ``alias`` is at, with its files; N…",
        bash_command=command("champion"),
        env=RUN_ENV,
    )

    gate = BashOperator(
        task_id="gate",
        doc_md="Hold a challenger against the champion on a test set that neither has…",
        bash_command=command("gate"),
        env={
            **RUN_ENV,
            "STACKYARD_INPUTS": inputs("candidate", "champion", "features"),
        },
    )

    # Skipped unless gate.passed is true.
    deploy = BashOperator(
        task_id="deploy",
        doc_md="Serve a version: the first one of an endpoint to all, a further one b…",
        bash_command=command("deploy"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("candidate", "gate")},
    )

    # Skipped unless gate.passed is true and deploy.alone is true.
    promote = BashOperator(
        task_id="promote",
        doc_md="Point ``alias`` at a version, or ask for it where the registry lets o…",
        bash_command=command("promote"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("candidate", "gate", "deploy")},
    )

    # Skipped unless gate.passed is true and deploy.alone is false.
    canary = BashOperator(
        task_id="canary",
        doc_md="Give a version that is ready a part of the requests; the champion get…",
        bash_command=command("canary"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("candidate", "gate", "deploy")},
    )

    # Skipped unless gate.passed is true and deploy.alone is false.
    flights_asked = BashOperator(
        task_id="flights_asked",
        doc_md="The flights that users ask about: the newest ones, or those of a peri…",
        bash_command=command("flights_asked"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("features", "gate", "deploy")},
    )

    # Skipped unless gate.passed is true and deploy.alone is false.
    ask = BashOperator(
        task_id="ask",
        doc_md="Ask the endpoint about flights, as their passengers would; return wha…",
        bash_command=command("ask"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("flights_asked", "gate", "deploy")},
    )

    # Skipped unless gate.passed is true and deploy.alone is false.
    judge = BashOperator(
        task_id="judge",
        doc_md="Hold what a version on trial answered against what the champion did,…",
        bash_command=command("judge"),
        env={**RUN_ENV, "STACKYARD_INPUTS": inputs("canary", "ask", "gate", "deploy")},
    )

    # Skipped unless gate.passed is true and deploy.alone is false and judge.passed is true.
    promote_after_trial = BashOperator(
        task_id="promote_after_trial",
        doc_md="Point ``alias`` at a version, or ask for it where the registry lets o…",
        bash_command=command("promote_after_trial"),
        env={
            **RUN_ENV,
            "STACKYARD_INPUTS": inputs("candidate", "judge", "gate", "deploy"),
        },
    )

    # Skipped unless gate.passed is true and deploy.alone is false and judge.passed is true.
    go_live = BashOperator(
        task_id="go_live",
        doc_md="Make the version on trial the champion, which gets every request.",
        bash_command=command("go_live"),
        env={
            **RUN_ENV,
            "STACKYARD_INPUTS": inputs("canary", "judge", "gate", "deploy"),
        },
    )

    # Skipped unless gate.passed is true and deploy.alone is false and judge.passed is false.
    roll_back = BashOperator(
        task_id="roll_back",
        doc_md="Let the champion have every request again, and the version on trial n…",
        bash_command=command("roll_back"),
        env={
            **RUN_ENV,
            "STACKYARD_INPUTS": inputs("canary", "judge", "gate", "deploy"),
        },
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

    load >> join_weather
    join_weather >> split
    split >> features
    [candidate, champion, features] >> gate
    [candidate, gate] >> deploy
    [candidate, gate, deploy] >> promote
    [candidate, gate, deploy] >> canary
    [features, gate, deploy] >> flights_asked
    [flights_asked, gate, deploy, canary] >> ask
    [canary, ask, gate, deploy] >> judge
    [candidate, judge, gate, deploy] >> promote_after_trial
    [canary, judge, gate, deploy, promote_after_trial] >> go_live
    [canary, judge, gate, deploy] >> roll_back
    [
        load,
        join_weather,
        split,
        features,
        candidate,
        champion,
        gate,
        deploy,
        promote,
        canary,
        flights_asked,
        ask,
        judge,
        promote_after_trial,
        go_live,
        roll_back,
    ] >> stackyard_finish

if __name__ == "__main__":
    dag.test()
