"""What a plugin may offer: frozen descriptors, which name their code by dotted strings."""

from __future__ import annotations

from dataclasses import dataclass

API = 1  # the version of the plugin interface that this core speaks


@dataclass(frozen=True)
class Flavor:
    """A component of a kind. ``target`` and ``config`` are ``package.module:Class``.

    ``config`` names a frozen dataclass whose fields are the keys of the stack file; it is imported
    to check a stack, so its module may import nothing heavy. ``target`` is imported when used.
    """

    kind: str
    name: str
    target: str
    config: str
    api: int = API
    doc: str = ""


@dataclass(frozen=True)
class ArtifactFormat:
    """A way of storing values. ``target`` names a ``stackyard.store.formats.Format`` class.

    ``types`` are dotted names of the types it stores, compared along a value's class hierarchy,
    so that no library is imported to find the format of a value. The highest ``priority`` is first.
    """

    name: str
    types: tuple[str, ...]
    target: str
    priority: int = 0
    api: int = API


@dataclass(frozen=True)
class SecretProvider:
    """A place where ``${secret:NAME}`` is looked up.

    ``target`` names a callable ``(name: str, project: Path) -> str | None``, which gets the
    project's root and returns None where it does not know the name.
    """

    name: str
    target: str
    api: int = API
