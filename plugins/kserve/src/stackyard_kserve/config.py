"""What a stack file may say about KServe."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# It reaches a path and the installer's command line.
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")


@dataclass(frozen=True)
class KServeConfig:
    """A Kubernetes cluster with KServe 0.16 or newer, whose Knative mode is installed.

    Attributes:
        namespace: Where the InferenceServices are.
        kubeconfig: File with the address of the cluster and the login, relative to the project.
            Left out: ``KUBECONFIG``, else ``~/.kube/config``, else the pod that this runs in.
        context: Its context, if it is not the current one.
        storage: Where packages of this machine are copied to, so that the cluster can read them:
            ``s3://acme-ml/models``. Left out: those of this machine, to which registries bring
            theirs, cannot be served.
        service_account: Service account of the pods, with the credentials to read them.
        images: Image of the server for each format that KServe has none for, such as
            ``sklearn-skops``. It gets the model in ``/mnt/models``.
        runtime: ServingRuntime for models of format ``mlflow``. Left out: KServe chooses.
        resources: What a pod requests and is limited to, e.g. ``{cpu: "1", memory: 2Gi}``.
        min_replicas: Pods that are there without requests; 0 lets them go.
        max_replicas: Pods at most; 0 is no limit.
        gateway: Address at which this machine reaches the cluster's gateway, for ``predict``, e.g.
            ``http://127.0.0.1:8080`` after ``kubectl port-forward``. Left out: the endpoint's own.
        ready_within: Seconds that a model may take to get ready.
    """

    namespace: str = "default"
    kubeconfig: str | None = None
    context: str | None = None
    storage: str | None = None
    service_account: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    runtime: str | None = None
    resources: Mapping[str, str] = field(default_factory=dict)
    min_replicas: int = 1
    max_replicas: int = 0
    gateway: str | None = None
    ready_within: float = 600.0

    def __post_init__(self) -> None:
        if _LABEL.fullmatch(self.namespace) is None:
            raise ValueError(
                f"namespace: {self.namespace!r} is none. Use up to 63 lower-case letters, digits "
                "and '-'"
            )
        if self.storage is not None and "://" not in self.storage:
            raise ValueError(
                f"storage: {self.storage!r} is no address that a cluster can read. Write one such "
                "as s3://bucket/models"
            )
        if self.min_replicas < 0 or (self.max_replicas and self.max_replicas < self.min_replicas):
            raise ValueError(
                f"min_replicas, max_replicas: {self.min_replicas} to {self.max_replicas} pods are "
                "no range"
            )
        if self.gateway is not None and not self.gateway.startswith(("http://", "https://")):
            raise ValueError(f"gateway: {self.gateway!r} is no http:// or https:// address")
        _more_than_0(self, "ready_within")


@dataclass(frozen=True)
class LocalKServeConfig:
    """KServe's model server on this machine, in an environment of its own.

    Attributes:
        version: Version of KServe's model server.
        packages: Further packages for its environment.
        max_request: Bytes that a request may have.
        ready_within: Seconds that the model server may take to get ready, once it is installed.
    """

    version: str = "0.21.0"
    packages: tuple[str, ...] = ()
    max_request: int = 8 * 1024 * 1024
    ready_within: float = 60.0

    def __post_init__(self) -> None:
        if _VERSION.fullmatch(self.version) is None:
            raise ValueError(f"version: {self.version!r} is none. Write one such as 0.21.0")
        _more_than_0(self, "max_request", "ready_within")


def _more_than_0(config: Any, *keys: str) -> None:
    for key in keys:
        if getattr(config, key) <= 0:
            raise ValueError(f"{key}: must be more than 0")
