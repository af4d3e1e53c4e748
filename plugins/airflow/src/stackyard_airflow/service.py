"""The project's own Airflow on this machine: what it is started with, and what it needs before.

It listens on the loopback interface, keeps everything under ``.stackyard/services/airflow``
(SQLite, logs, generated secrets that only the owner can read) and runs up to ``parallelism`` tasks
as local processes with the interpreter that Stackyard runs in.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stackyard import environments
from stackyard.components.base import Command, Service
from stackyard.errors import Unavailable, UsageError
from stackyard_airflow import environment
from stackyard_airflow.config import AirflowConfig

HOST = "127.0.0.1"
USER = "admin"
ROLES = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


@dataclass(frozen=True)
class LocalAirflow:
    """The local Airflow of a project for one stack; nothing is done by making the object."""

    config: AirflowConfig
    project: Path
    stack: str
    environments: Path  # where an environment of its own goes

    @property
    def home(self) -> Path:
        """AIRFLOW_HOME."""
        return self.project / ".stackyard" / "services" / "airflow"

    @property
    def url(self) -> str:
        """Address of the API and the pages."""
        return f"http://{HOST}:{self.config.port}"

    @property
    def dags(self) -> Path:
        """The folder of DAG files that this Airflow reads."""
        chosen = self.config.dags_folder
        return self.project / (chosen or f"dags/generated/{self.stack}")

    @property
    def passwords(self) -> Path:
        """The file with the password of the one user."""
        return self.home / "passwords.json"

    def password(self) -> str:
        """The password of the one user.

        Raises:
            UsageError: this Airflow was never started.
        """
        try:
            return str(json.loads(self.passwords.read_text())[USER])
        except (OSError, ValueError, KeyError) as exc:
            raise UsageError(
                f"there is no local Airflow for stack {self.stack!r} yet. Start it: "
                f"stackyard stack up --stack {self.stack}"
            ) from exc

    def service(self) -> Service:
        """The processes of Airflow."""
        env = self.env()
        start = [self._python(), "-P", "-m", "airflow"]
        server = ["api-server", "--host", HOST, "--port", str(self.config.port), "--workers", "1"]
        return Service(
            name="airflow",
            commands=(
                Command(
                    "api-server",
                    [*start, *server],
                    env,
                    ready=f"{self.url}/api/v2/monitor/health",
                    port=self.config.port,
                ),
                # Its log server would listen on all interfaces; the logs are on this machine.
                Command("scheduler", [*start, "scheduler", "--skip-serve-logs"], env),
                Command("dag-processor", [*start, "dag-processor"], env),
            ),
            url=self.url,
            note=f"user {USER}, password in {self.passwords}",
        )

    def env(self) -> dict[str, str]:
        """The environment of Airflow's processes, and so of the steps."""
        home, name = self.home, os.environ.get("NO_PROXY") or os.environ.get("no_proxy") or ""
        direct = ",".join(dict.fromkeys([HOST, "localhost", *filter(None, name.split(","))]))
        settings = {
            "API__BASE_URL": self.url,
            "CORE__AUTH_MANAGER": ROLES,
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__LOAD_EXAMPLES": "False",
            # A file that has changed is otherwise not taken up until 30 s after its last change.
            "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",
            "CORE__PARALLELISM": str(self.config.parallelism),
            "CORE__PLUGINS_FOLDER": str(home / "plugins"),
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords),
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
            "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs/dag_processor"),
            # By default a slot stays taken for 5 s after its task, and the scheduler sleeps 1 s.
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
            "USAGE_DATA_COLLECTION__ENABLED": "False",  # of versions that had it
        }
        return {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
            **{f"AIRFLOW__{key}": value for key, value in settings.items()},
            "NO_PROXY": direct,
            "no_proxy": direct,
            "STACKYARD_PYTHON": sys.executable,
            "STACKYARD_PROJECT": str(self.project),
        }

    def prepare(self) -> None:
        """Install Airflow if need be, make its folders, secrets and database.

        Raises:
            Unavailable: Airflow cannot be installed or its database not be made.
        """
        version = environment.importable_version()
        if version is None:
            version = self.config.version
            environment.ensure(self._environment(), version, self.config.packages)
        for folder in (self.home, self.home / "plugins"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.dags.mkdir(parents=True, exist_ok=True)
        _write_once(self.passwords, lambda: json.dumps({USER: secrets.token_urlsafe(24)}) + "\n")
        _write_once(self.home / "airflow.cfg", _configuration)
        self._migrate(version)

    def _migrate(self, version: str) -> None:
        """Make the database, or bring one of another version up to date."""
        done = self.home / "airflow.db.version"
        if done.is_file() and done.read_text() == version and (self.home / "airflow.db").is_file():
            return
        command = [self._python(), "-P", "-m", "airflow", "db", "migrate"]
        made = subprocess.run(
            command, env={**os.environ, **self.env()}, cwd=self.home, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if made.returncode != 0:
            lines = "\n    ".join(made.stdout.strip().splitlines()[-15:])
            raise Unavailable(f"airflow db migrate failed:\n    {lines}")
        done.write_text(version)

    def _environment(self) -> Path:
        return environment.folder(self.environments, self.config.version)

    def _python(self) -> str:
        if environment.importable_version() is not None:
            return sys.executable
        return str(environments.interpreter(self._environment()))


def _configuration() -> str:
    """The secrets of Airflow's parts; everything else is in their environment."""
    import base64

    fernet = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return (
        f"[core]\nfernet_key = {fernet}\n\n"
        f"[api]\nsecret_key = {secrets.token_hex(32)}\n\n"
        f"[api_auth]\njwt_secret = {secrets.token_hex(64)}\n"
    )


def _write_once(path: Path, text: Callable[[], str]) -> None:
    """Write a file that only its owner can read, unless it exists."""
    if path.is_file() and path.stat().st_size:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text())
