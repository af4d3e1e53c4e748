"""MLflow as an experiment tracker."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context, Finding, Service
from stackyard.components.tracker import Entry, LoggedParam, RunFacts, Tracker, TrackingRun
from stackyard.errors import InvalidInput, NotFound
from stackyard_mlflow import entries as mlflow_entries
from stackyard_mlflow import runs, service
from stackyard_mlflow.config import MlflowTrackerConfig
from stackyard_mlflow.connection import Connection, check
from stackyard_mlflow.runs import milliseconds

if TYPE_CHECKING:
    from stackyard_mlflow.live import LiveWriter


class MlflowTracker(Tracker):
    """One MLflow run per Stackyard run, in the experiment of the pipeline.

    Capability ``live`` where MLflow is a server.
    """

    config: MlflowTrackerConfig

    def __init__(self, config: MlflowTrackerConfig, context: Context) -> None:
        super().__init__(config, context)
        self._opened: Connection | None = None
        self._steps: dict[tuple[str, str], str] = {}
        self._live: LiveWriter | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        """``live`` with a server."""
        return frozenset({"live"} if self.config.live and self._connection.is_server else ())

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            self._opened = Connection(self.config, self.context)
        return self._opened

    def open(self, run: RunFacts, tracking_id: str | None) -> TrackingRun:
        """Return MLflow's run for ``run``, found by id or by its tag, or made.

        Raises:
            NotFound: the run with ``tracking_id`` is not there or deleted.
            Unavailable: MLflow did not answer within ``context.deadline``.
        """
        self._steps = {
            (e.key, e.value): step.name
            for step in reversed(run.steps)
            for e in reversed(step.entries)
            if isinstance(e, LoggedParam)
        }
        connection = self._connection
        if tracking_id is None:
            tracking_id, _ = runs.the_run(
                connection,
                self.context.claims,
                self.config.experiment or run.pipeline,
                run.run_id,
                run.started,
                runs.run_tags(run),
            )
        found = self._get(tracking_id)
        tags = runs.run_tags(run)
        facts = [LoggedParam(k, v) for k, v in run.params.items()]
        batch = mlflow_entries.translate(facts, found.data.params, {})
        batch.params = {k: v for k, v in batch.params.items() if k not in found.data.params}
        batch.tags |= {k: v for k, v in tags.items() if found.data.tags.get(k) != v}
        self._send(tracking_id, batch)
        return TrackingRun(tracking_id, self._page(found.info.experiment_id, tracking_id))

    def write(self, tracking_id: str, entries: Sequence[Entry]) -> None:
        """Write ``entries`` in as few requests as MLflow takes.

        MLflow keeps a metric's point once, whatever the number of times it is sent.
        """
        if not entries:
            return
        data = self._get(tracking_id).data
        batch = mlflow_entries.translate(entries, data.params, self._steps)
        batch.tags = {k: v for k, v in batch.tags.items() if data.tags.get(k) != v}
        log, name = self.context.logger, self.context.name or "tracker"
        for warning in batch.warnings:
            log.warning("%s: %s", name, warning)
        for note in batch.notes:
            log.info("%s: %s", name, note)
        self._send(tracking_id, batch)
        for path, text in batch.texts.items():
            with self._connection.call(f"artifact {path!r}", slow=True) as client:
                client.log_text(tracking_id, text, path)
        for path, entry in batch.artifacts.items():
            self._send_file(tracking_id, path, entry.digest)

    def finish(self, tracking_id: str, run: RunFacts) -> None:
        """Set status and end time."""
        status = runs.STATUS[run.status]
        with self._connection.call(f"run {tracking_id}") as client:
            if run.ended is None:
                client.update_run(tracking_id, status=status)
            else:
                client.set_terminated(tracking_id, status, milliseconds(run.ended))

    def discard(self, tracking_id: str) -> None:
        """Delete the run; one that is gone already stays gone."""
        try:
            with self._connection.call(f"run {tracking_id}") as client:
                if client.get_run(tracking_id).info.lifecycle_stage == "active":
                    client.delete_run(tracking_id)
        except NotFound:
            return

    def _send(self, tracking_id: str, batch: mlflow_entries.Batch) -> None:
        for request in mlflow_entries.requests(batch):
            with self._connection.call(f"run {tracking_id}") as client:
                from mlflow.entities import Metric, Param, RunTag

                client.log_batch(
                    tracking_id,
                    metrics=[
                        Metric(m.key, m.value, milliseconds(m.time), m.step)
                        for m in request.metrics
                    ],
                    params=[Param(k, v) for k, v in request.params],
                    tags=[RunTag(k, v) for k, v in request.tags],
                )

    def _send_file(self, tracking_id: str, name: str, digest: str) -> None:
        if self.context.fetch is None:
            raise InvalidInput(f"artifact {name!r}: there is no store to read {digest[:12]} from")
        source = self.context.fetch(digest)
        with self._connection.call(f"artifact {name!r}", slow=True) as client:
            if source.is_dir():
                client.log_artifacts(tracking_id, str(source), name)
                return
            folder, _, _ = name.rpartition("/")
            with _called(source, Path(name).name) as file:
                client.log_artifact(tracking_id, str(file), folder or None)

    def _get(self, tracking_id: str) -> Any:
        with self._connection.call(f"run {tracking_id}") as client:
            found = client.get_run(tracking_id)
        if found.info.lifecycle_stage == "deleted":
            raise NotFound(
                f"run {tracking_id} at {self._connection.safe_uri} is deleted. Restore it with: "
                f"mlflow runs restore --run-id {tracking_id}"
            )
        return found

    def _page(self, experiment_id: str, tracking_id: str) -> str:
        connection = self._connection
        if connection.is_server:
            return f"{connection.safe_uri}/#/experiments/{experiment_id}/runs/{tracking_id}"
        return f"mlflow ui --backend-store-uri {shlex.quote(connection.safe_uri)}"

    # While steps run

    def live(self, entry: Entry) -> None:
        """Send a metric or tag to the server, soon and best effort."""
        if self._live is None and "live" in self.capabilities:
            from stackyard_mlflow.live import LiveWriter

            self._live = LiveWriter(self.config, self.context, self._connection.uri)
        if self._live is not None:
            self._live.add(entry)

    def close(self) -> None:
        """Send what is left of the live entries; forget the client."""
        if self._live is not None:
            self._live.close()
            self._live = None
        if self._opened is not None:
            self._opened.close()

    # On this machine

    def services(self) -> Sequence[Service]:
        """The MLflow server, with ``serve: true``."""
        return (service.describe(self.config, self.context),) if self.config.serve else ()

    def prepare(self, service: Service) -> None:
        """Make the server's database and folder."""
        from stackyard_mlflow.service import prepare

        prepare(self.config, self.context)

    def check(self) -> Sequence[Finding]:
        """Whether MLflow answers."""
        return (check(self._connection),)


@contextmanager
def _called(source: Path, name: str) -> Iterator[Path]:
    """The file under another name: MLflow calls an artifact as its file is called."""
    if source.name == name:
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / name
        try:
            os.symlink(source.resolve(), target)
        except OSError:  # Windows without the right to make links
            shutil.copyfile(source, target)
        yield target
