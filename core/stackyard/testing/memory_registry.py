"""A model registry in memory, whole: for tests of steps, and as the smallest implementation."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.registry import (
    ModelPackage,
    ModelVersion,
    Registry,
    check_alias,
    check_model_name,
)
from stackyard.errors import NotFound


@dataclass
class _Model:
    versions: dict[str, ModelVersion] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)


class MemoryRegistry(Registry):
    """Keeps a copy of each package. ``MemoryRegistry()`` is all that a step's test needs."""

    def __init__(self, config: Any = None, context: Context | None = None) -> None:
        super().__init__(config, context or Context(name="registry"))
        self._models: dict[str, _Model] = {}
        self._copies: list[tempfile.TemporaryDirectory[str]] = []

    def of(self, context: Context) -> MemoryRegistry:
        """The same models, as another step or run sees them."""
        other = MemoryRegistry(self.config, context)
        other._models, other._copies = self._models, self._copies
        return other

    @property
    def capabilities(self) -> frozenset[str]:
        """``alias``."""
        return frozenset({"alias"})

    def register(
        self,
        name: str,
        package: ModelPackage,
        *,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Add a version after checking the package against its digest."""
        from stackyard.models import verified_folder

        check_model_name(name)
        if alias is not None:
            self.require("alias")
            check_alias(alias)
        source = verified_folder(package, fetch=self.context.fetch)
        model = self._models.setdefault(name, _Model())
        version = next((v for v in model.versions.values() if self._same(v, package)), None)
        if version is None:
            number = str(len(model.versions) + 1)
            copied = replace(package, uri=self._copy(source, package.digest))
            version = ModelVersion(name, number, copied, (), dict(tags or {}), self.context.run)
            model.versions[number] = version
        if alias is not None:
            self.set_alias(name, alias, version.version)
        return self._shown(version)

    def get(
        self, name: str, version: str | None = None, *, alias: str | None = None
    ) -> ModelVersion:
        """Return a version by number or alias, the newest where neither is given."""
        model = self._model(name)
        if alias is not None:
            if alias not in model.aliases:
                have = ", ".join(sorted(model.aliases)) or "none"
                raise NotFound(f"model {name!r} has no alias {alias!r}. Aliases: {have}")
            version = model.aliases[alias]
        found = model.versions.get(str(len(model.versions)) if version is None else version)
        if found is None:
            have = ", ".join(model.versions)
            raise NotFound(f"model {name!r} has no version {version!r}. Versions: {have}")
        return self._shown(found)

    def fetch(self, version: ModelVersion) -> ModelPackage:
        """Return the package with its local folder, checked against the digest."""
        from stackyard.models import verified_folder

        package = self.get(version.name, version.version).package
        verified_folder(package)
        return package

    def list(self, name: str | None = None) -> Sequence[ModelVersion]:
        """Versions, newest first, of one model or of all."""
        names = self._models if name is None else [name] if name in self._models else []
        return tuple(
            self._shown(v) for n in names for v in reversed(self._models[n].versions.values())
        )

    def move_alias(self, name: str, alias: str, version: str | None) -> None:
        """Point ``alias`` at ``version``, or remove it."""
        if version is None:
            self._model(name).aliases.pop(alias, None)
        else:
            self.get(name, version)
            self._models[name].aliases[alias] = version

    def pointed(self, name: str, alias: str) -> str | None:
        """The version that ``alias`` is at."""
        return self._model(name).aliases.get(alias)

    def _copy(self, source: Path, digest: str) -> str:
        """Copy a package to a folder that lives as long as this object."""
        if not self._copies:
            self._copies.append(tempfile.TemporaryDirectory(prefix="stackyard-registry-"))
        target = Path(self._copies[0].name) / digest
        if not target.exists():
            shutil.copytree(source, target)
        return str(target)

    def _model(self, name: str) -> _Model:
        if name not in self._models:
            have = ", ".join(self._models) or "none"
            raise NotFound(f"there is no model {name!r}. Models: {have}")
        return self._models[name]

    def _shown(self, version: ModelVersion) -> ModelVersion:
        aliases = self._models[version.name].aliases
        pointing = sorted(a for a, v in aliases.items() if v == version.version)
        return replace(version, aliases=tuple(pointing))

    def _same(self, version: ModelVersion, package: ModelPackage) -> bool:
        run = self.context.run
        return run is not None and (version.run, version.package.digest) == (run, package.digest)
