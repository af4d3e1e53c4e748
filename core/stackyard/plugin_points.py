"""What ``stackyard plugin new`` can write: each point at which a plugin adds something."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """What a plugin may add: its files are ``src/acme_tools/{name}.py`` and ``tests/``.

    Attributes:
        name: Of the kind, or ``format``, ``secret_provider`` or ``resource``.
        page: Its reference page.
        hook: The hook that offers it; empty for a resource, which a stack names by its class.
        offer: The descriptor, as code.
        use: How a stack gets to it, in the README.
        requires: What its code imports beside Stackyard.
        extras: Extras of Stackyard that the tests need.
    """

    name: str
    page: str
    hook: str
    offer: str
    use: str
    requires: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()


def _kind(name: str, cls: str, doc: str, *requires: str, extras: tuple[str, ...] = ()) -> Point:
    offer = f"""Flavor(
        kind="{name}",
        name="acme",
        target="acme_tools.{name}:{cls}",
        config="acme_tools.{name}:{cls}Config",
        doc="{doc}",  # what plugin show says of it
    )"""
    page = f"{name.replace('_', '-')}.md"
    use = f"components:\n  {name}: {{flavor: acme}}"
    return Point(name, page, "stackyard_flavors", offer, use, requires, extras)


_PANDAS = "pandas >= 2.2"
_PARQUET = "pyarrow >= 18"
_FORMAT = Point(
    name="format",
    page="formats.md",
    hook="stackyard_formats",
    offer="""ArtifactFormat(
        name="acme",
        types=("acme_tools.format.Graph",),
        target="acme_tools.format:AcmeFormat",
    )""",
    use="# What a step returns as a Graph of acme_tools.format is stored by the format acme.",
)
_SECRET_PROVIDER = Point(
    name="secret_provider",
    page="secret-providers.md",
    hook="stackyard_secret_providers",
    offer="""SecretProvider(
        name="acme",
        target="acme_tools.secret_provider:look_up",
    )""",
    use="# ${secret:NAME} is asked of acme, after the environment and the secrets file.",
)
_RESOURCE = Point(
    name="resource",
    page="resources.md",
    hook="",
    offer="",
    use='resources:\n  warehouse: {class: "acme_tools.resource:AcmeResource", file: warehouse.db}',
)
POINTS = {
    point.name: point
    for point in (
        _kind("tracker", "AcmeTracker", "Runs as folders"),
        _kind("orchestrator", "AcmeOrchestrator", "Steps as processes"),
        _kind("registry", "AcmeRegistry", "Models as folders", extras=("frames", "sklearn")),
        _kind("data_versioner", "AcmeDataVersioner", "Versions in a folder"),
        _kind(
            "feature_store", "AcmeFeatureStore", "Features in a folder", _PANDAS, _PARQUET,
            extras=("frames",),
        ),
        _kind(
            "validator", "AcmeValidator", "Checks by pandas, reports in a folder", _PANDAS,
            extras=("frames",),
        ),
        _kind("monitor", "AcmeMonitor", "Drift by PSI", _PANDAS, extras=("frames",)),
        _kind("server", "AcmeServer", "Endpoints as files", extras=("frames", "sklearn")),
        _FORMAT,
        _SECRET_PROVIDER,
        _RESOURCE,
    )
}  # fmt: skip
