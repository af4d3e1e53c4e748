"""What a stack file may say about MLflow."""

from __future__ import annotations

from dataclasses import dataclass

from stackyard.components.base import Secret
from stackyard.loopback import check_address


@dataclass(frozen=True)
class MlflowConfig:
    """Where MLflow is; common to tracker and registry.

    Attributes:
        tracking_uri: ``http(s)://host:port`` of a server, or a database such as
            ``sqlite:///mlruns.db`` (a relative path counts from the project). Left out: a database
            of the project's own in ``.stackyard/mlflow``.
        experiment: Name of the MLflow experiment; the pipeline's name if left out.
        artifacts: Where files go, for a database only: a folder or a URL such as
            ``s3://bucket/mlflow``. A server decides that itself.
        token: Bearer token for the server.
        username: User name for the server, with ``password``.
        password: Password for the server.
    """

    tracking_uri: str | None = None
    experiment: str | None = None
    artifacts: str | None = None
    token: Secret | None = None
    username: str | None = None
    password: Secret | None = None

    def __post_init__(self) -> None:
        check_address("tracking_uri", self.tracking_uri)


@dataclass(frozen=True)
class MlflowTrackerConfig(MlflowConfig):
    """The tracker's options.

    Attributes:
        serve: ``stack up`` starts an MLflow server at ``tracking_uri``, which must then be an
            ``http://127.0.0.1:PORT`` of this machine.
        live: Metrics and tags are also sent to a server while a step runs, best effort.
    """

    serve: bool = False
    live: bool = True


@dataclass(frozen=True)
class MlflowRegistryConfig(MlflowConfig):
    """The registry's options.

    Attributes:
        registry_uri: Where the registry is, if it is not where ``tracking_uri`` is.
    """

    registry_uri: str | None = None

    def __post_init__(self) -> None:
        MlflowConfig.__post_init__(self)
        check_address("registry_uri", self.registry_uri)
