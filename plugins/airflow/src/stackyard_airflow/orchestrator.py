"""Airflow as orchestrator: pipelines become DAG files, runs go through the REST API."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Finding, Service
from stackyard.components.orchestrator import (
    Orchestrator,
    PipelineSettings,
    RunOutcome,
    RunRequest,
    Watch,
    task_params,
)
from stackyard.errors import ComponentError, ConfigError, Unavailable, UsageError
from stackyard.graph import Graph
from stackyard_airflow import options
from stackyard_airflow.config import AirflowConfig
from stackyard_airflow.environment import OLDEST
from stackyard_airflow.options import Options
from stackyard_airflow.service import USER, LocalAirflow

if TYPE_CHECKING:
    from stackyard_airflow.answers import DagInfo
    from stackyard_airflow.client import AirflowClient

STOPPING = 30.0  # seconds that a stopped run may take to close its record


class AirflowOrchestrator(Orchestrator):
    """Compiles pipelines to DAG files and runs them on an existing or a local Airflow 3."""

    config: AirflowConfig
    _connected: AirflowClient | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        """Compiles, and runs steps in other processes."""
        return frozenset({"compile", "remote"})

    def compile(self, graph: Graph, settings: PipelineSettings, stack: str) -> Mapping[str, str]:
        """See ``Orchestrator.compile``."""
        from stackyard_airflow.compile import compile_graph

        return compile_graph(graph, options.read(settings.options, self.config, graph), stack)

    def run(self, request: RunRequest, settings: PipelineSettings, watch: Watch) -> RunOutcome:
        """See ``Orchestrator.run``. Airflow has to have parsed the file as it is compiled now."""
        from stackyard_airflow.follow import Follower

        chosen = options.read(settings.options, self.config, request.graph)
        files = request.files or self.compile(request.graph, settings, request.stack)
        client = self._client()
        self._reachable(client)
        written = self._write(files)
        self._parsed(client, request, chosen, written)
        self._pools(client, chosen)
        client.trigger(chosen.dag_id, request.run_id, task_params(request), f"by {request.actor}")
        if (dag := client.dag(chosen.dag_id)) is not None and dag.paused:
            client.unpause(chosen.dag_id)
            if request.graph.schedule is not None:
                self.context.logger.warning(
                    "DAG %s was paused; it now runs on its schedule too (%s)",
                    chosen.dag_id,
                    request.graph.schedule,
                )
        follower = Follower(client, chosen.dag_id, request.run_id, watch)
        try:
            return follower.until_end()
        except KeyboardInterrupt:
            return self._stop(follower)

    def services(self) -> Sequence[Service]:
        """The local Airflow, unless the stack names an existing one."""
        return () if self.config.url else (self._local().service(),)

    def prepare(self, service: Service) -> None:
        """Install Airflow where it is not importable; make its folders, secrets and database."""
        self._local().prepare()

    def check(self) -> Sequence[Finding]:
        """Whether Airflow answers, of which version it is, and whether the login is right."""
        client = self._connect(patience=0.0)
        try:
            return self._findings(client)
        finally:
            client.close()

    def _findings(self, client: AirflowClient) -> list[Finding]:
        cure = self._cure()
        try:
            version = client.version()
        except ComponentError as exc:
            return [Finding(False, str(exc), cure)]
        if tuple(int(n) for n in version.split(".")[:2]) < OLDEST:
            return [Finding(False, f"Airflow at {client.url} is {version}", "Airflow 3.1 or newer")]
        findings = [Finding(True, f"Airflow {version} at {client.url}")]
        for part, facts in client.health().items():
            status = facts.get("status") if isinstance(facts, Mapping) else None
            if status == "unhealthy":
                findings.append(Finding(False, f"Airflow's {part} is unhealthy", cure))
        try:
            client.pools()
        except (ComponentError, UsageError) as exc:
            findings.append(Finding(False, str(exc), "check username, password or token"))
        return findings

    def close(self) -> None:
        """Close the connections to Airflow."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    # Before a run

    def _reachable(self, client: AirflowClient) -> None:
        try:
            client.health()
        except Unavailable as exc:
            raise Unavailable(f"{exc}. {self._cure()}") from exc

    def _write(self, files: Mapping[str, str]) -> float | None:
        """Write the DAG file where Airflow reads it; the time of its last change, if it can be."""
        if self.config.url is not None and self.config.dags_folder is None:
            return None
        folder = self._local().dags
        folder.mkdir(parents=True, exist_ok=True)
        changed = 0.0
        for name, text in files.items():
            path = folder / name
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                temporary = folder / f".{name}.{os.getpid()}"
                temporary.write_text(text, encoding="utf-8")
                temporary.replace(path)
            changed = max(changed, path.stat().st_mtime)
        return changed

    def _parsed(
        self, client: AirflowClient, request: RunRequest, chosen: Options, written: float | None
    ) -> None:
        """Wait until Airflow has parsed the file of this graph.

        Raises:
            UsageError: the DAG is not there, cannot be parsed, or is of another version.
        """
        digest, file = request.graph.digest(), f"{request.graph.name}.py"
        until = time.monotonic() + (self.config.timeout if written is not None else 0.0)
        asked = False
        while True:
            dag = client.dag(chosen.dag_id)
            if dag is not None and not asked and not _since(dag, written):
                client.parse_again(dag)
                asked = True
            problem = client.import_error(file) if dag is None or dag.broken else None
            if dag is not None and problem is None and digest in dag.doc and _since(dag, written):
                return
            if time.monotonic() >= until:
                break
            time.sleep(0.3)
        again = (
            f"stackyard compile {request.graph.name} --stack {request.stack}, and deploy "
            f"dags/generated/{request.stack}/{file}"
        )
        if problem is not None:
            raise UsageError(f"Airflow at {client.url} cannot parse {file}:\n{problem}")
        if dag is None:
            what = f"has no DAG {chosen.dag_id!r}"
        else:
            what = f"has DAG {chosen.dag_id!r} of another version of the pipeline"
        if written is None:
            raise UsageError(f"Airflow at {client.url} {what}. Run: {again}")
        raise Unavailable(
            f"Airflow at {client.url} {what}: it has not parsed {self._local().dags / file} within "
            f"{self.config.timeout:g} s. Is that the folder that it reads?"
        )

    def _pools(self, client: AirflowClient, chosen: Options) -> None:
        """A task of a pool that does not exist would wait for ever."""
        wanted = dict.fromkeys(chosen.pool.values())
        if not wanted:
            return
        have = client.pools()
        for name in wanted:
            if name in have:
                continue
            if name in self.config.pools and self.config.url is None:
                client.make_pool(name, self.config.pools[name])
                continue
            raise UsageError(
                f"Airflow at {client.url} has no pool {name!r}. Pools: {', '.join(have)}. Make it "
                f"there, or for a local Airflow say: orchestrator: {{pools: {{{name}: 4}}}}"
            )

    # Ending a run before its end

    def _stop(self, follower: Any) -> RunOutcome:
        """Stop the run and wait a while for its record to be closed; it can be resumed."""
        client: AirflowClient = follower.client
        running = follower.running()
        client.stop(follower.dag_id, follower.run_id)  # before telling: who watches may be gone
        follower.interrupt(running)
        until = time.monotonic() + STOPPING
        while time.monotonic() < until:
            follower.look()
            if client.run_state(follower.dag_id, follower.run_id) in ("success", "failed"):
                break
            time.sleep(0.5)
        page = client.page(follower.dag_id, follower.run_id)
        return RunOutcome("cancelled", "stopped by hand", page, (), follower.interrupted)

    # Who it talks to

    def _local(self) -> LocalAirflow:
        from platformdirs import user_cache_path

        return LocalAirflow(
            config=self.config,
            project=self.context.project.absolute(),
            stack=self.context.stack,
            environments=user_cache_path("stackyard") / "environments",
        )

    def _client(self) -> AirflowClient:
        if self._connected is None:
            self._connected = self._connect(self.config.timeout)
        return self._connected

    def _connect(self, patience: float) -> AirflowClient:
        from stackyard_airflow.client import AirflowClient

        url = self.config.url or self._local().url
        return AirflowClient(url, self._login, deadline=self.context.deadline, patience=patience)

    def _login(self, client: AirflowClient) -> str:
        """The access token: as configured, or through a login."""
        config = self.config
        if config.token is not None:
            return config.token.reveal()
        if config.username is not None and config.password is not None:
            return client.token(config.username, config.password.reveal())
        if config.url is not None:
            raise ConfigError(
                f"orchestrator: Airflow at {config.url} needs 'token', or 'username' and "
                "'password', e.g. token: ${secret:AIRFLOW_TOKEN}"
            )
        return client.token(USER, self._local().password())

    def _cure(self) -> str:
        if self.config.url is not None:
            return "Check orchestrator.url of the stack"
        return f"Start it: stackyard stack up --stack {self.context.stack}"


def _since(dag: DagInfo, written: float | None) -> bool:
    """Whether Airflow has parsed the DAG after its file was written on this machine."""
    return written is None or datetime.fromisoformat(dag.parsed).timestamp() >= written
