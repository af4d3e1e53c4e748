"""The way to MLflow: its client, made silent, with deadlines, and its errors in our words.

Only ``MlflowClient`` with explicit addresses is used, never MLflow's fluent interface, whose
tracking address and active run are global to the process.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stackyard.components.base import Context, Finding, redact
from stackyard.errors import (
    AlreadyExists,
    ComponentError,
    Conflict,
    InvalidInput,
    NotFound,
    Unavailable,
)
from stackyard_mlflow import environment
from stackyard_mlflow.address import (
    DATABASES,
    embedded_folder,
    resolve,
    scheme,
    sqlite_folder,
    without_password,
)
from stackyard_mlflow.config import MlflowConfig
from stackyard_mlflow.moved import follow

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ERRORS: dict[str, type[ComponentError]] = {
    "RESOURCE_DOES_NOT_EXIST": NotFound,
    "NOT_FOUND": NotFound,
    "RESOURCE_ALREADY_EXISTS": AlreadyExists,
    "ALREADY_EXISTS": AlreadyExists,
    "RESOURCE_CONFLICT": Conflict,
    "ABORTED": Conflict,
    "INVALID_PARAMETER_VALUE": InvalidInput,
    "BAD_REQUEST": InvalidInput,
    "TEMPORARILY_UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": Unavailable,
    "REQUEST_LIMIT_EXCEEDED": Unavailable,
    "RESOURCE_EXHAUSTED": Unavailable,
}
_DENIED = ("PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED", "UNAUTHENTICATED")


class Connection:
    """MLflow at one address. Nothing happens before ``client`` is asked for."""

    def __init__(
        self, config: MlflowConfig, context: Context, registry_uri: str | None = None
    ) -> None:
        self._config = config
        self._context = context
        self._folder = embedded_folder(context)
        self.uri = resolve(config.tracking_uri, context)
        self.registry_uri = resolve(registry_uri, context) if registry_uri else self.uri
        self.is_server = urlsplit(self.uri).scheme in ("http", "https")
        self.safe_uri = without_password(self.uri)
        self.safe_registry_uri = without_password(self.registry_uri)
        self._client: MlflowClient | None = None
        self._experiments: dict[str, str] = {}

    @contextmanager
    def call(self, what: str, *, slow: bool = False, retry: bool = True) -> Iterator[MlflowClient]:
        """Give the client for one call: within the deadline, errors in our words.

        Args:
            what: Words for an error's message, e.g. ``"run x"``.
            slow: The call moves files: one request may take the whole deadline.
            retry: The call may be sent twice.

        Raises:
            Unavailable: MLflow did not answer in time.
            ComponentError: MLflow refused; the subclass says how.
        """
        deadline = self._context.deadline
        timeout = deadline if slow else deadline / 3
        settings: dict[str, str | None] = {
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(max(1, int(timeout))),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1" if retry else "0",
            "MLFLOW_TRACKING_URI": self.uri,  # for what MLflow asks behind the client's back
            "MLFLOW_REGISTRY_URI": self.registry_uri,
        }
        settings |= self._credentials()
        self._reach()
        with environment.during(settings):
            from mlflow.exceptions import MlflowException

            try:
                yield self._connect()
            except MlflowException as exc:
                raise self._translated(exc, what) from exc
            except OSError as exc:  # also what requests raises while a file is sent
                text = redact(str(exc)).splitlines()[0]
                raise Unavailable(f"{what}: {self.safe_uri}: {text}") from exc
            except Exception as exc:  # what a database raises while its tables are made
                if type(exc).__module__.partition(".")[0] not in ("sqlalchemy", "alembic"):
                    raise
                text = redact(str(exc)).splitlines()[0]
                raise Unavailable(f"cannot use database {self.safe_uri} ({text})") from exc

    def experiment(self, name: str) -> str:
        """Return the id of an experiment, making it if it is new."""
        known = self._experiments.get(name)
        if known is not None:
            return known
        with self.call(f"experiment {name!r}") as client:
            found = client.get_experiment_by_name(name)
        if found is None:
            try:
                with self.call(f"experiment {name!r}", retry=False) as client:
                    made = client.create_experiment(name, artifact_location=self._artifacts())
            except AlreadyExists:  # another process was faster
                with self.call(f"experiment {name!r}") as client:
                    found = client.get_experiment_by_name(name)
        if found is not None:
            if found.lifecycle_stage == "deleted":
                raise Conflict(
                    f"MLflow experiment {name!r} at {self.safe_uri} is deleted. Restore it with "
                    f"'mlflow experiments restore -x {found.experiment_id}', or choose another "
                    "with 'experiment:' in the stack file"
                )
            made = found.experiment_id
        self._experiments[name] = str(made)
        return str(made)

    def _connect(self) -> MlflowClient:
        """The client, made at first use.

        Making it makes MLflow's tables, one process at a time: several at once break them.
        """
        if self._client is None:
            from mlflow import MlflowClient

            tracking, registry = (scheme(u) in DATABASES for u in (self.uri, self.registry_uri))
            databases = {u for u in (self.uri, self.registry_uri) if scheme(u) in DATABASES}
            with ExitStack() as locks:
                for folder in sorted({sqlite_folder(u) or self._folder for u in databases}):
                    locks.enter_context(self._lock(folder))
                client = MlflowClient(tracking_uri=self.uri, registry_uri=self.registry_uri)
                if tracking:
                    client.search_experiments(max_results=1)
                if registry:
                    client.search_registered_models(max_results=1)
                if not self._config.tracking_uri:
                    follow(self._folder)
            self._client = client
        return self._client

    @contextmanager
    def _lock(self, folder: Path) -> Iterator[None]:
        from filelock import FileLock, Timeout

        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / ".mlflow-tables.lock", timeout=self._context.deadline)
            lock.acquire()
        except Timeout as exc:
            raise Unavailable(
                f"another process is making MLflow's tables in {folder} and has not finished "
                f"within {self._context.deadline:g} s"
            ) from exc
        except OSError as exc:
            raise Unavailable(f"cannot write {folder}: {exc.strerror or exc}") from exc
        try:
            yield
        finally:
            lock.release()

    def _artifacts(self) -> str | None:
        """Where a new experiment's files go; None lets a server decide."""
        if self.is_server:
            return None
        given = self._config.artifacts
        if given and "://" in given:
            return given
        if given:
            return (self._context.project / given).resolve().as_uri()
        beside = sqlite_folder(self.uri)
        if beside is not None:
            return (beside / "artifacts").as_uri()
        if scheme(self.uri) in DATABASES:
            raise InvalidInput(
                f"{self._context.name}: MLflow database {self.safe_uri} does not say where "
                "files go. Add 'artifacts: s3://bucket/mlflow' (or a folder) to the stack file"
            )
        return None

    def _credentials(self) -> dict[str, str | None]:
        config = self._config
        if config.token is None and config.username is None and config.password is None:
            return {}  # whatever MLflow finds by itself
        return {
            "MLFLOW_TRACKING_TOKEN": config.token.reveal() if config.token else None,
            "MLFLOW_TRACKING_USERNAME": config.username,
            "MLFLOW_TRACKING_PASSWORD": config.password.reveal() if config.password else None,
        }

    def _reach(self) -> None:
        """Ask whether the server is there before MLflow is imported, which takes seconds."""
        if self._client is not None or not self.is_server:
            return
        address = urlsplit(self.uri)
        host = address.hostname or ""
        import urllib.request

        proxies = urllib.request.getproxies()
        if address.scheme in proxies and not urllib.request.proxy_bypass(host):
            return
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            socket.create_connection((host, port), timeout=self._context.deadline / 3).close()
        except OSError as exc:
            reason = exc.strerror or str(exc)
            raise Unavailable(f"cannot reach {self.safe_uri} ({reason.lower()})") from exc

    def _translated(self, exc: Any, what: str) -> ComponentError:
        import requests

        text = redact(str(exc.message)).splitlines()[0][:500] if exc.message else exc.error_code
        below = exc.__cause__ or exc.__context__
        if isinstance(below, requests.exceptions.RequestException) and below.response is None:
            return Unavailable(f"cannot reach {self.safe_uri} ({_reason(below)})")
        if exc.error_code in _DENIED:
            return ComponentError(
                f"{what}: {self.safe_uri} refuses access ({text}). Give 'token' or 'username' and "
                "'password' in the stack file"
            )
        kind = _ERRORS.get(exc.error_code, ComponentError)
        if self.is_server and kind is ComponentError and exc.get_http_status_code() >= 500:
            kind = Unavailable
        return kind(f"{what}: MLflow at {self.safe_uri} says: {text}")

    def close(self) -> None:
        """Forget the client."""
        self._client = None


def check(connection: Connection) -> Finding:
    """Ask MLflow something and say whether it answered."""
    try:
        with connection.call("check") as client:
            client.search_experiments(max_results=1)
    except ComponentError as exc:
        return Finding(False, str(exc), "stackyard stack up" if connection.is_server else "")
    return Finding(True, f"MLflow answers at {connection.safe_uri}")


def _reason(exc: BaseException) -> str:
    """The few words of a connection error that people understand."""
    text = str(exc).lower()
    for words in ("connection refused", "timed out", "name or service not known", "reset by peer"):
        if words in text:
            return words
    return type(exc).__name__
