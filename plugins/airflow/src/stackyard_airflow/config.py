"""The keys of ``orchestrator: {flavor: airflow, ...}`` in a stack file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stackyard.components.base import Secret
from stackyard.loopback import check_address


@dataclass(frozen=True)
class AirflowConfig:
    """An existing Airflow (``url``), or, without ``url``, one of the project's own on this machine.

    Attributes:
        url: address of an existing Airflow 3, e.g. ``https://airflow.acme.example``.
        token: ready access token for it, as ``${secret:NAME}``.
        username: user for its token login, together with ``password``.
        password: password for its token login, as ``${secret:NAME}``.
        dags_folder: folder that Airflow reads; compiled files are also written there by ``run``.
            For a local Airflow the default is ``dags/generated/<stack>`` of the project.
        python: interpreter of the steps on Airflow's workers; else their ``STACKYARD_PYTHON``.
        project: folder of the project on the workers; else their ``STACKYARD_PROJECT``.
        store: store as the workers reach it, where it is not the stack's.
        env: environment variables for every step; text that may stand in the generated file.
        pools: pools and their slots; made where they are missing in a local Airflow.
        port: port of the local Airflow on the loopback interface.
        version: version of the local Airflow where it gets an environment of its own.
        packages: further packages for that environment, e.g. providers.
        parallelism: tasks that the local Airflow runs at once.
        timeout: seconds to wait for Airflow to parse a new file, and to come back when it is down.
    """

    url: str | None = None
    token: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    dags_folder: str | None = None
    python: str | None = None
    project: str | None = None
    store: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, int] = field(default_factory=dict)
    port: int = 8080
    version: str = "3.3.2"
    packages: tuple[str, ...] = ()
    parallelism: int = 4
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise ValueError(f"port: {self.port} is no port. Ports are 1 to 65535")
        check_address("url", self.url)
