"""How a model gets into MLflow: files of a logged model, then a version that points at them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage
from stackyard.errors import InvalidInput
from stackyard_mlflow import mlmodel, runs
from stackyard_mlflow.config import MlflowRegistryConfig
from stackyard_mlflow.connection import Connection

# Tags of a model version. The first two are searched for, the last is the package as text.
DIGEST, RUN, PACKAGE = "stackyard.digest", runs.RUN_TAG, "stackyard.package"
OURS = (DIGEST, RUN, PACKAGE)
TAG_LIMIT = 5000  # characters; the least that any registry of MLflow's allows


def make_version(
    connection: Connection,
    config: MlflowRegistryConfig,
    context: Context,
    name: str,
    package: ModelPackage,
    source: Path,
    tags: Mapping[str, str],
) -> Any:
    """Log the package in folder ``source``, then register it: a version never lacks its files."""
    if reserved := [key for key in tags if key in OURS]:
        raise InvalidInput(f"tag {reserved[0]!r} is Stackyard's own. Use another name")
    tracking_id, experiment = _tracking_run(connection, config, context, name)
    own = {DIGEST: package.digest, **({RUN: context.run} if context.run else {})}
    what = f"model {name!r}"
    with connection.call(what, retry=False) as client:
        logged = client.create_logged_model(
            experiment, name.replace(".", "_"), tracking_id, tags=own
        )
    with tempfile.TemporaryDirectory(prefix="stackyard-mlflow-") as scratch:
        ids = {"run_id": tracking_id, "model_id": logged.model_id}
        ids |= {"artifact_path": logged.artifact_location, "model_uuid": logged.model_id}
        with connection.call(what, slow=True) as client:
            mlmodel.write(package, source, Path(scratch), ids)
            client.log_model_artifacts(logged.model_id, scratch)
    with connection.call(what) as client:
        from mlflow.entities import LoggedModelOutput

        client.finalize_logged_model(logged.model_id, "READY")
        if tracking_id is not None:
            client.log_outputs(tracking_id, [LoggedModelOutput(logged.model_id, step=0)])
    own[PACKAGE] = mlmodel.to_text(package, TAG_LIMIT)
    with connection.call(what, retry=False) as client:
        # The place of the files, not "models:/m-...": that makes MLflow ask its global address.
        version = client.create_model_version(
            name,
            source=logged.artifact_location,
            run_id=tracking_id,
            tags={**tags, **own},
            await_creation_for=0,
            model_id=logged.model_id if tracking_id or connection.is_server else None,
        )
    if not connection.is_server:  # a server links the two itself
        link = json.dumps([{"name": name, "version": str(version.version)}])
        with connection.call(what) as client:
            client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": link})
    return version


def _tracking_run(
    connection: Connection, config: MlflowRegistryConfig, context: Context, name: str
) -> tuple[str | None, str]:
    """The tracking run of this run, and its experiment.

    It is the one of the tracker, if that is in this MLflow, else the one that the processes of the
    run agree on; the tracker finds that at the end of the run.
    """
    claimed = context.claims.get("tracking.tracker") if context.claims else None
    if claimed is None or not runs.active(connection, claimed):
        experiment = config.experiment or context.pipeline or name
        if context.run is None:
            return None, connection.experiment(experiment)
        tags = runs.basic_tags(
            context.run, pipeline=context.pipeline, stack=context.stack, actor=context.actor
        )
        began = runs.began(context.run)
        claimed, new = runs.the_run(
            connection, context.claims, experiment, context.run, began, tags
        )
        if new:  # it is not left running if no tracker comes for it
            with connection.call(f"run {claimed}") as client:
                client.set_terminated(claimed, "FINISHED")
    with connection.call(f"run {claimed}") as client:
        return claimed, str(client.get_run(claimed).info.experiment_id)
