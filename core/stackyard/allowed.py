"""Which plugins a stack allows: ``plugins: [stackyard-mlflow >=0.1, acme-tracker ==1.2]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from stackyard.distributions import Distribution, normal_name
from stackyard.errors import ConfigError, suggest
from stackyard.tree import Node, Place, kind_of

IN_PROJECT = "stackyard-plugins"  # how the plugin in a single file is called among the others
FILE = "stackyard_plugins.py"

_ENTRY = re.compile(r"(?P<name>[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?P<versions>.*)")


@dataclass(frozen=True)
class Allowed:
    """The plugins that a stack allows; the core's own needs no mention.

    ``entries``: a distribution's normal name, versions as in a requirement (PEP 440) or nothing,
    and where it is written.
    """

    entries: tuple[tuple[str, str, Place], ...]

    @property
    def names(self) -> frozenset[str]:
        """Normal names of the distributions."""
        return frozenset(name for name, _, _ in self.entries)

    def check(self, installed: Mapping[str, Distribution], others: frozenset[str]) -> None:
        """Check that every plugin of the list is here, in a version that it allows.

        Args:
            installed: distributions by normal name.
            others: plugins that are no distribution and have no version.

        Raises:
            ConfigError: one is not; names all of them, with place and cure.
        """
        wrong = [
            text
            for name, versions, place in self.entries
            if (text := _wrong(name, versions, place, installed, others))
        ]
        if wrong:
            raise ConfigError("\n".join(wrong))


def read_allowed(node: Node | None) -> Allowed | None:
    """The list of a stack file; None where it has none, so that every plugin is allowed.

    Raises:
        ConfigError: it is no list of plugins.
    """
    if node is None or node.value is None:
        return None
    if not isinstance(node.value, list):
        raise ConfigError(f"{node.place} plugins: expected a list, got {kind_of(node.value)}")
    return Allowed(tuple(_entry(item) for item in node.value))


def _entry(item: Node) -> tuple[str, str, Place]:
    found = _ENTRY.fullmatch(item.value.strip()) if isinstance(item.value, str) else None
    if found is None:
        raise ConfigError(
            f"{item.place} plugins: {item.plain()!r}: write a distribution and, if need be, its "
            "versions: 'acme-tracker >=1.2,<2'"
        )
    versions = found["versions"]
    if versions:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(versions)
        except InvalidSpecifier as exc:
            raise ConfigError(
                f"{item.place} plugins: {versions!r} says no versions: write '==1.2', '>=1.2,<2'"
            ) from exc
    return normal_name(found["name"]), versions, item.place


def _wrong(
    name: str,
    versions: str,
    place: Place,
    installed: Mapping[str, Distribution],
    others: frozenset[str],
) -> str | None:
    have = installed.get(name)
    if name == IN_PROJECT and name not in others:
        return f"{place} plugins: there is no {FILE} beside the stack files"
    if have is None and name not in others:
        near = suggest(name, [d.name for d in installed.values() if d.entry_points])
        return f"{place} plugins: {name} is not installed. Install it, or leave it out.{near}"
    if not versions:
        return None
    if have is None:
        return f"{place} plugins: {name} is a file of the project and has no version"
    from packaging.specifiers import SpecifierSet

    if SpecifierSet(versions).contains(have.version, prereleases=True):
        return None
    return (
        f"{place} plugins: {name} {versions} is asked for, {have.version} is installed. "
        "Install another version, or change the list"
    )
