"""What this plugin offers. Describes; imports nothing of KServe or Kubernetes."""

from __future__ import annotations

from collections.abc import Iterable

from stackyard.flavors import Flavor
from stackyard.hookspecs import hookimpl


@hookimpl
def stackyard_flavors() -> Iterable[Flavor]:
    """The model server, in a cluster and on this machine."""
    yield Flavor(
        kind="server",
        name="kserve",
        target="stackyard_kserve.server:KServeServer",
        config="stackyard_kserve.config:KServeConfig",
        doc="KServe in a Kubernetes cluster: InferenceServices with canaries",
    )
    yield Flavor(
        kind="server",
        name="kserve_local",
        target="stackyard_kserve.local:LocalKServe",
        config="stackyard_kserve.config:LocalKServeConfig",
        doc="KServe's model server on this machine, without a cluster",
    )
