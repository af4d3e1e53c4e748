"""A small client of Airflow's REST API, version 2 (Airflow 3): what running a DAG needs of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from stackyard.errors import (
    AlreadyExists,
    ComponentError,
    Conflict,
    InvalidInput,
    NotFound,
    Unavailable,
)
from stackyard_airflow.answers import DagInfo, LogLine, TaskState, log_line

if TYPE_CHECKING:
    import httpx

PAGE = 100  # task instances asked for at once


class AirflowClient:
    """Calls of one Airflow. ``login`` returns an access token, asked for when one is needed.

    A call that meets a server error or no server is made again, with growing pauses, until
    ``patience`` seconds have passed; one answer may take ``deadline`` seconds.
    """

    def __init__(
        self,
        url: str,
        login: Callable[[AirflowClient], str],
        *,
        deadline: float = 30.0,
        patience: float = 60.0,
    ) -> None:
        self.url = url.rstrip("/")
        self._login = login
        self._deadline = deadline
        self._patience = patience
        self._token: str | None = None
        self._http: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections. May be called twice."""
        if self._http is not None:
            self._http.close()
            self._http = None

    # What is there

    def health(self, patience: float = 0.0) -> Mapping[str, Any]:
        """What Airflow says of its parts; needs no login."""
        found: Mapping[str, Any] = self._call(
            "GET", "/api/v2/monitor/health", login=False, patience=patience
        )
        return found

    def version(self) -> str:
        """Airflow's version."""
        return str(self._call("GET", "/api/v2/version", login=False)["version"])

    def token(self, username: str, password: str) -> str:
        """Log in and return an access token."""
        body = {"username": username, "password": password}
        return str(self._call("POST", "/auth/token", json=body, login=False)["access_token"])

    def dag(self, dag_id: str) -> DagInfo | None:
        """The DAG as it was parsed last, None where there is none."""
        try:
            found = self._call("GET", f"{_dag(dag_id)}/details")
        except NotFound:
            return None
        return DagInfo(
            dag_id=dag_id,
            paused=bool(found["is_paused"]),
            doc=found.get("doc_md") or "",
            parsed=found.get("last_parsed_time") or "",
            broken=bool(found.get("has_import_errors")),
            file_token=found.get("file_token") or "",
        )

    def parse_again(self, dag: DagInfo) -> None:
        """Ask for the DAG's file to be parsed soon, and not after the usual interval."""
        if dag.file_token:
            self._call("PUT", f"/api/v2/parseDagFile/{quote(dag.file_token, safe='')}")

    def import_error(self, file: str) -> str | None:
        """Why a DAG file could not be parsed, None where it could."""
        found = self._call("GET", "/api/v2/importErrors", query={"limit": PAGE})
        for error in found["import_errors"]:
            if str(error["filename"]).replace("\\", "/").rpartition("/")[2] == file:
                return str(error["stack_trace"]).strip()
        return None

    def pools(self) -> dict[str, int]:
        """The pools and their slots."""
        found = self._call("GET", "/api/v2/pools", query={"limit": PAGE})
        return {p["name"]: p["slots"] for p in found["pools"]}

    def make_pool(self, name: str, slots: int) -> None:
        """Make a pool."""
        body = {"name": name, "slots": slots, "description": "made by Stackyard"}
        self._call("POST", "/api/v2/pools", json=body)

    # Running

    def unpause(self, dag_id: str) -> None:
        """Let the DAG's runs start, scheduled ones too."""
        query = {"update_mask": "is_paused"}
        self._call("PATCH", _dag(dag_id), query=query, json={"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any], note: str) -> None:
        """Start a run with an id of ours; the same request made twice starts one run.

        Raises:
            InvalidInput: a parameter does not fit the DAG's schema.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf), "note": note}
        try:
            self._call("POST", f"{_dag(dag_id)}/dagRuns", json=body)
        except AlreadyExists:  # an answer was lost, and the request was made again
            self.run_state(dag_id, run_id)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """queued, running, success or failed."""
        return str(self._call("GET", _run(dag_id, run_id))["state"])

    def tasks(self, dag_id: str, run_id: str, patience: float | None = None) -> list[TaskState]:
        """The states of a run's tasks."""
        found: list[TaskState] = []
        while True:
            query = {"limit": PAGE, "offset": len(found)}
            page = self._call(
                "GET", f"{_run(dag_id, run_id)}/taskInstances", query=query, patience=patience
            )
            found += [
                TaskState(
                    t["task_id"], t["state"], t["try_number"], t["duration"], t["start_date"] or ""
                )
                for t in page["task_instances"]
            ]
            if not page["task_instances"] or len(found) >= page["total_entries"]:
                return found

    def returned(self, dag_id: str, run_id: str, task_id: str) -> Any:
        """What a task returned (its XCom), None where it returned nothing."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"
        try:
            value = self._call("GET", f"{path}/xcomEntries/return_value")["value"]
        except NotFound:
            return None
        if not isinstance(value, str):
            return value
        import json

        try:
            return json.loads(value)
        except ValueError:
            return value

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int) -> list[LogLine]:
        """The log of one try of a task, without Airflow's grouping marks."""
        path = f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}/logs/{try_number}"
        content = self._call("GET", path, query={"full_content": "true"})["content"]
        lines = [LogLine(e) if isinstance(e, str) else log_line(e) for e in content]
        return [line for line in lines if not line.text.startswith("::")]

    def clear(self, dag_id: str, run_id: str, tasks: Sequence[str]) -> None:
        """Let tasks and all behind them run again."""
        body = {
            "dry_run": False, "dag_run_id": run_id, "task_ids": list(tasks),
            "only_failed": False, "include_downstream": True, "reset_dag_runs": True,
        }  # fmt: skip
        self._call("POST", f"{_dag(dag_id)}/clearTaskInstances", json=body)

    def stop(self, dag_id: str, run_id: str) -> None:
        """Stop a run: running tasks are ended, waiting ones skipped, the teardown runs."""
        query = {"update_mask": "state"}
        self._call("PATCH", _run(dag_id, run_id), query=query, json={"state": "failed"})

    def page(self, dag_id: str, run_id: str) -> str:
        """Address of the run's page for people."""
        return f"{self.url}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}"

    # How a call is made

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        login: bool = True,
        patience: float | None = None,
    ) -> Any:
        import httpx

        until = time.monotonic() + (self._patience if patience is None else patience)
        pause, renewed = 0.2, False
        while True:
            try:
                headers = {"Authorization": f"Bearer {self._access()}"} if login else {}
                answer = self._client().request(
                    method, self.url + path, params=query, json=json, headers=headers
                )
            except httpx.InvalidURL as exc:
                raise InvalidInput(f"Airflow's url {self.url!r}: {exc}") from exc
            except httpx.TransportError as exc:
                problem = f"Airflow at {self.url} does not answer ({_reason(exc)})"
                cause: Exception | None = exc
            else:
                if answer.status_code in (401, 403) and login and not renewed:
                    self._token, renewed = None, True  # it may have expired
                    continue
                if answer.status_code < 500:
                    return self._read(answer, method, path)
                problem = f"Airflow at {self.url} answered {answer.status_code} to {method} {path}"
                cause = None
            if time.monotonic() + pause > until:
                raise Unavailable(problem) from cause
            time.sleep(pause)
            pause = min(2 * pause, 5.0)

    def _read(self, answer: httpx.Response, method: str, path: str) -> Any:
        if answer.status_code < 300:
            if not answer.content:
                return None
            try:
                return answer.json()
            except ValueError as exc:
                raise InvalidInput(
                    f"{self.url} does not answer {path} as Airflow does. Is the url right?"
                ) from exc
        error: type[ComponentError] = {
            404: NotFound, 409: AlreadyExists, 412: Conflict
        }.get(answer.status_code, InvalidInput)  # fmt: skip
        hint = ". Is the login right, and may this user do that?"
        cure = hint if answer.status_code in (401, 403) else ""
        raise error(f"Airflow at {self.url}, {method} {path}: {_detail(answer)}{cure}")

    def _access(self) -> str:
        if self._token is None:
            self._token = self._login(self)
        return self._token

    def _client(self) -> httpx.Client:
        if self._http is None:
            import httpx

            local = urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")
            # No redirects: a token goes to the address that was configured and nowhere else.
            # Waiting for an answer is not all that the deadline of a call has to hold.
            self._http = httpx.Client(
                timeout=0.8 * self._deadline, trust_env=not local, follow_redirects=False
            )
        return self._http


def _dag(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}"


def _run(dag_id: str, run_id: str) -> str:
    return f"{_dag(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _reason(exc: Exception) -> str:
    return str(exc) or type(exc).__name__


def _detail(answer: httpx.Response) -> str:
    try:
        found = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        found = answer.text[:300]
    return f"{answer.status_code} {found}"
