"""The rules that what a plugin offers must keep."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stackyard.errors import suggest
from stackyard.flavors import ArtifactFormat, Flavor, SecretProvider
from stackyard.graph import KINDS, TARGET

if TYPE_CHECKING:
    from stackyard.plugins import Plugin

DISABLED = "STACKYARD_DISABLED_PLUGINS"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")


class Unusable(Exception):
    """Why a plugin is not used."""


def check_offers(
    flavors: Iterable[Flavor],
    formats: Iterable[ArtifactFormat],
    secrets: Iterable[SecretProvider],
    others: Iterable[Plugin],
) -> None:
    """Refuse what cannot be used: wrong kinds, targets that are not names, taken names."""
    seen: set[tuple[str, str]] = set()
    for flavor in flavors:
        if flavor.kind not in KINDS:
            raise Unusable(
                f"flavor {flavor.name!r} is of unknown kind {flavor.kind!r}. "
                f"Kinds: {', '.join(KINDS)}.{suggest(flavor.kind, KINDS)}"
            )
        if (flavor.kind, flavor.name) in seen:
            raise Unusable(f"{flavor.kind} {flavor.name!r} is yielded twice")
        seen.add((flavor.kind, flavor.name))
    offers: list[Flavor | ArtifactFormat | SecretProvider] = [*flavors, *formats, *secrets]
    for offer in offers:
        if not _NAME.fullmatch(offer.name):
            raise Unusable(f"name {offer.name!r}: use ASCII letters, digits and . _ -")
        targets = (offer.target, offer.config) if isinstance(offer, Flavor) else (offer.target,)
        for text in targets:
            if not TARGET.fullmatch(text):
                raise Unusable(f"{offer.name!r} names {text!r}; write it as 'package.module:Name'")
    # Which of two formats of one name wrote an artifact could not be told, so the later is refused.
    for plugin in others:
        cure = f"Disable one: {DISABLED}={plugin.distribution.name}"
        for name in {f.name for f in plugin.formats} & {f.name for f in formats}:
            raise Unusable(f"format {name!r} is already provided by {plugin}. {cure}")
        for name in {s.name for s in plugin.secret_providers} & {s.name for s in secrets}:
            raise Unusable(f"secret provider {name!r} is already provided by {plugin}. {cure}")
