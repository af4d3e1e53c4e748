"""The MLflow run that stands for a Stackyard run: its tags, and how it is found or made."""

from __future__ import annotations

import calendar
import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stackyard.components.base import Claims
from stackyard.components.tracker import RunFacts
from stackyard.errors import InvalidInput, NotFound
from stackyard.store.records import RUN_ID

if TYPE_CHECKING:
    from stackyard_mlflow.connection import Connection

RUN_TAG = "stackyard.run_id"  # finds the run, whoever made it: tracker, live writer or registry
STATUS = {
    "running": "RUNNING",
    "succeeded": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
}


def milliseconds(seconds: float) -> int:
    """Seconds since the epoch as MLflow counts time."""
    return round(seconds * 1000)


def began(run_id: str) -> float:
    """When a run began, which its id tells to the second; now, if it is no id of ours."""
    if RUN_ID.fullmatch(run_id) is None:
        return time.time()
    return float(calendar.timegm(time.strptime(run_id[:15], "%Y%m%d-%H%M%S")))


def basic_tags(run_id: str, *, pipeline: str, stack: str, actor: str) -> dict[str, str]:
    """The tags that every process of a run knows."""
    tags = {
        RUN_TAG: run_id,
        "stackyard.pipeline": pipeline,
        "stackyard.stack": stack,
        "mlflow.runName": run_id,
        "mlflow.source.type": "LOCAL",
        "mlflow.source.name": pipeline,
        "mlflow.user": actor,
    }
    return {name: value for name, value in tags.items() if value}


def run_tags(run: RunFacts) -> dict[str, str]:
    """All tags of a run."""
    basic = basic_tags(run.run_id, pipeline=run.pipeline, stack=run.stack, actor=run.actor)
    if "git.commit" in run.tags:
        basic["mlflow.source.git.commit"] = run.tags["git.commit"]
    return {**run.tags, **basic}


def by_tag(run_id: str) -> str:
    """MLflow's search expression for the run of ``run_id``."""
    if "'" in run_id or "\\" in run_id:
        raise InvalidInput(f"run id {run_id!r} holds a quote or a backslash")
    return f"tags.`{RUN_TAG}` = '{run_id}'"


def claim_name(uri: str, experiment: str) -> str:
    """The name under which the processes of a run agree on its MLflow run at one place.

    Not the core's ``tracking.<tracker>``: a registry may be on another server than the tracker.
    """
    return f"mlflow-{hashlib.sha256(f'{uri} {experiment}'.encode()).hexdigest()[:16]}"


def the_run(
    connection: Connection,
    claims: Claims | None,
    name: str,
    run_id: str,
    started: float,
    tags: Mapping[str, str],
) -> tuple[str, bool]:
    """Return the MLflow run of ``run_id`` in the experiment ``name``, and whether it is new.

    Tracker, registry and live writer of all processes get the same one: it is claimed in the
    store, and has a tag by which it is found without the store.
    """
    claim = claim_name(connection.safe_uri, name)
    known = claims.get(claim) if claims else None
    if known is not None and active(connection, known):
        return known, False
    experiment = connection.experiment(name)
    found = _find(connection, experiment, run_id)
    if found is not None:
        return found, False
    mine = _make(connection, experiment, run_id, started, tags)
    winner = claims.claim(claim, mine) if claims and known is None else mine
    if winner == mine or not active(connection, winner):
        return mine, True
    with connection.call(f"run {mine}") as client:
        client.delete_run(mine)
    return winner, False


def active(connection: Connection, tracking_id: str) -> bool:
    """Whether MLflow has this run, not deleted."""
    try:
        with connection.call(f"run {tracking_id}") as client:
            return bool(client.get_run(tracking_id).info.lifecycle_stage == "active")
    except NotFound:
        return False


def _find(connection: Connection, experiment: str, run_id: str) -> str | None:
    """Return the id of the run that has the tag; of several, the oldest."""
    with connection.call(f"run {run_id}") as client:
        found = client.search_runs([experiment], filter_string=by_tag(run_id))
    ids = sorted((r.info.start_time, r.info.run_id) for r in found)
    return ids[0][1] if ids else None


def _make(
    connection: Connection, experiment: str, run_id: str, started: float, tags: Mapping[str, str]
) -> str:
    with connection.call(f"run {run_id}", retry=False) as client:
        made = client.create_run(
            experiment,
            start_time=milliseconds(started),
            tags=dict(tags),
            run_name=tags.get("mlflow.runName"),
        )
    return str(made.info.run_id)
